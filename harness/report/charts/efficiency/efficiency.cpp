#include "harness/report/charts/efficiency/efficiency.h"

#include "core/error.h"
#include "harness/report/charts/efficiency/noise_and_front.h"
#include "harness/report/charts/style.h"
#include "metrics/table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace moe {
namespace {

std::string score_in_words(const TableRow& row, const Estimate& bleu, const CostAxis& axis, double cost) {
  const std::string interval =
      bleu.interval ? fmt::format(" ({:.1f} to {:.1f})", bleu.interval->low, bleu.interval->high) : "";
  const std::string experts = row.experts > 1 ? fmt::format(", {} experts", row.experts) : "";
  return fmt::format("{}{}: BLEU {:.1f}{}; {} {}", marked_label(row), experts, bleu.mean, interval, axis.title,
                     prefixed(cost));
}

Json make_points(const ResultsTable& table, const CostAxis& axis) {
  Json points = Json::array();
  for (const TableRow* row : finished_rows(table)) {
    const std::optional<double> cost = axis.cost(*row);
    if (!cost || *cost <= 0) continue;  // a logarithmic axis has no place for nothing
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::optional<TestCell>& cell = row->scores[i];
      if (!cell) continue;
      const Estimate& bleu = cell->bleu;
      Json point = {{"strategy", row->label},
                    {"experts", row->experts},
                    {"cost", *cost},
                    {"bleu", bleu.mean},
                    {"undertrained", row->undertrained},
                    {"panel", panel_name(table, table.columns[i], row->panel)},
                    {"words", score_in_words(*row, bleu, axis, *cost)}};
      if (bleu.interval && bleu.deviation) {
        point["low"] = bleu.interval->low;
        point["high"] = bleu.interval->high;
        point["deviation"] = *bleu.deviation;
        point["seeds"] = bleu.count;
      }
      points.push_back(std::move(point));
    }
  }
  return points;
}

using Panels = std::map<std::string, std::vector<Json*>>;

Panels by_panel(Json& points) {
  Panels panels;
  for (Json& point : points) panels[point["panel"].get<std::string>()].push_back(&point);
  return panels;
}

/// Ticks at 1, 1.5, 2, 3, 5, 7 times the powers of ten inside the range, which is what a narrow log axis needs.
Json cost_ticks(double low, double high) {
  Json ticks = Json::array();
  for (int exponent = static_cast<int>(std::floor(std::log10(low))); std::pow(10, exponent) <= high; ++exponent) {
    const double decade = std::pow(10, exponent);
    for (const double step : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) {
      if (decade * step >= low && decade * step <= high) ticks.push_back(decade * step);
    }
  }
  Json axis = {{"format", "~s"}, {"grid", false}, {"labelOverlap", true}};
  if (ticks.size() > 1) axis["values"] = ticks;  // else the range is so narrow that even ticks serve
  return axis;
}

Json cost_channel(const std::string& title, double low, double high) {
  return {{"field", "place"},
          {"type", "quantitative"},
          {"title", title + " (log scale)"},
          {"scale", {{"type", "log"}, {"domain", {low, high}}, {"nice", false}}},
          {"axis", cost_ticks(low, high)}};
}

/// The smallest and the largest cost with a margin.
std::pair<double, double> cost_range(const Json& points) {
  std::vector<double> costs;
  for (const Json& point : points) costs.push_back(point["cost"].get<double>());
  const auto [smallest, largest] = std::minmax_element(costs.begin(), costs.end());
  return {*smallest / 1.1, *largest * 1.1};
}

/// False where all cost nearly the same: a column of points, which the first of these charts shows too.
bool costs_differ(const Json& points) {
  const auto [low, high] = cost_range(points);
  return high / low > 1.21 * 1.02;  // the range has a tenth more on either side
}

bool has_intervals(const Json& points) {
  return std::any_of(points.begin(), points.end(), [](const Json& point) { return point.contains("low"); });
}

/// Sets `place` on the axis: where strategies of one cost have intervals, they stand side by side, each a hundredth of
/// the axis from the next, or one bar would cover another.
void place_on_axis(const std::vector<Json*>& points, double step) {
  std::map<double, std::vector<Json*>> same_cost;
  for (Json* point : points) same_cost[(*point)["cost"].get<double>()].push_back(point);
  for (const auto& [cost, group] : same_cost) {
    for (std::size_t i = 0; i < group.size(); ++i) {
      const double offset = static_cast<double>(i) - static_cast<double>(group.size() - 1) / 2;
      (*group[i])["place"] = cost * std::exp(step * offset);
    }
  }
}

/// An axis that shows the differences, but spans at least one BLEU: less is noise, and should look like it. Several
/// panels each have an axis of their own, which Vega-Lite chooses.
Json bleu_scale(const Json& points, bool one_panel) {
  if (!one_panel) return {{"zero", false}};
  std::vector<double> values;
  for (const Json& point : points) {
    values.push_back(point.value("low", point["bleu"].get<double>()));
    values.push_back(point.value("high", point["bleu"].get<double>()));
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double margin = std::max(0.05 * (*high - *low), (1 - (*high - *low)) / 2);
  return {{"domain", {std::min(*low, std::max(*low - margin, 0.0)), *high + margin}}};
}

Json where_valid(const char* field) {
  return Json::array({{{"filter", fmt::format("isValid(datum.{})", field)}}});
}

/// The band and the front, behind the strategies.
Json background_layers(const Json& x, const Json& y, bool more_is_better) {
  Json foot = y;
  foot["field"] = "band_low";
  const Json band = {{"transform", where_valid("band_low")},
                     {"mark", {{"type", "rect"}, {"color", ink::line}, {"opacity", 0.7}, {"aria", false}}},
                     {"encoding", {{"y", foot}, {"y2", {{"field", "band_high"}}}}}};
  const Json front = {{"transform", where_valid("front")},
                      {"mark",
                       {{"type", "line"},
                        {"interpolate", more_is_better ? "step-before" : "step-after"},
                        {"color", ink::muted},
                        {"strokeWidth", 1},
                        {"strokeDash", {4, 3}},
                        {"aria", false}}},
                      {"encoding", {{"x", x}, {"y", y}}}};
  return Json::array({band, front});
}

Json make_layers(const Json& points, const Json& x, const Json& scale, const StrategyStyles& styles,
                 bool more_is_better) {
  const Json y = {
      {"field", "bleu"}, {"type", "quantitative"}, {"title", axis_title(find_metric("bleu"))}, {"scale", scale}};
  Json layers = background_layers(x, y, more_is_better);
  if (has_intervals(points)) {
    Json foot = y;
    foot["field"] = "low";
    Json bars = strategy_lines(styles, x, foot);
    bars["mark"] = {{"type", "rule"}, {"strokeWidth", 1.5}, {"aria", false}};
    bars["transform"] = where_valid("low");
    bars["encoding"]["y2"] = {{"field", "high"}};
    bars["encoding"].erase("strokeDash");
    layers.push_back(bars);
  }
  layers.push_back(strategy_lines(styles, x, y));
  layers.push_back(strategy_points(styles, x, y, "datum.undertrained"));
  return layers;
}

/// What the band and the front are, as far as they are drawn.
std::string background_sentence(const Json& points) {
  const auto any = [&](const char* key) {
    return std::any_of(points.begin(), points.end(), [&](const Json& point) { return point.contains(key); });
  };
  std::string text;
  if (any("band_low")) text = "Grey: spread of one configuration over seeds.";
  if (any("front")) text += std::string(text.empty() ? "" : " ") + "Broken line: what nothing cheaper beats.";
  return text;
}

std::optional<Json> efficiency_specification(const ResultsTable& table, const CostAxis& axis,
                                             const std::string& title) {
  if (axis.timed && table.side_by_side) return std::nullopt;
  Json points = make_points(table, axis);
  if (points.empty() || (!axis.first && !costs_differ(points))) return std::nullopt;
  const auto [low, high] = cost_range(points);
  const double step = has_intervals(points) ? 0.01 * std::log(high / low) : 0;
  for (const auto& [panel, members] : by_panel(points)) {
    place_on_axis(members, step);
    add_noise_band(members);
    mark_front(members, axis.more_is_better);
  }
  const Json panels = values_in_order(points, "panel");
  const bool one_panel = panels.size() == 1;
  const std::string only =
      table.columns.size() > 1 ? "" : table.columns[0].set + ", " + table.columns[0].direction + ". ";
  Json chart = base_specification(
      title, {only + evidence_sentence(table), background_sentence(points), undertrained_sentence(finished_rows(table)),
              axis.timed ? machine_sentence(table) : ""});
  chart["data"] = {{"values", points}};
  const Json view = {{"width", one_panel ? 620 : 330},
                     {"height", one_panel ? 400 : 270},
                     {"layer", make_layers(points, cost_channel(axis.title, low, high), bleu_scale(points, one_panel),
                                           StrategyStyles(table), axis.more_is_better)}};
  if (one_panel) {
    chart.update(view);
  } else {
    chart["facet"] = {{"field", "panel"}, {"type", "nominal"}, {"title", nullptr}, {"sort", panels}};
    chart["columns"] = 2;
    chart["spec"] = view;
    chart["resolve"] = {{"scale", {{"y", "independent"}}}};
  }
  return chart;
}

}  // namespace

Chart efficiency_chart(const CostAxis& axis) {
  const std::string title = "Test BLEU against " + axis.title;
  return {
      .name = axis.name,
      .section = Section::efficiency,
      .title = title,
      .caption =
          "One line a strategy over its numbers of experts; a strategy without experts is a single point. The BLEU "
          "axis need not start at zero, and lines say nothing about what lies between the points. The grey band is "
          "one standard deviation over seeds to either side of dense (of the best, where dense is missing), pooled "
          "over configurations: a difference that small is what a seed makes. The broken line joins the points that "
          "nothing at the same cost or less beats; undertrained ones win nothing. " +
          axis.caption,
      .specification = [axis, title](const ReportData& data) {
        return efficiency_specification(data.table, axis, title);
      }};
}

std::optional<double> mean_over_runs(const TableRow& row, std::optional<double> (*figure)(const RunResult& run)) {
  std::vector<double> values;
  for (const RunResult* run : row.runs) {
    const std::optional<double> value = figure(*run);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values.empty() ? std::nullopt : std::optional(mean(values));
}

}  // namespace moe
