// BLEU on the test sets against the total number of parameters.

#include "core/text.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/style.h"
#include "metrics/table.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moe {
namespace {

/// One panel per test set, direction and setting; what all panels share is not said.
std::string panel_name(const ResultsTable& table, const TestColumn& column, const TableRow& row) {
  std::vector<std::string> parts;
  if (table.columns.size() > 1) parts = {column.set, column.direction};
  if (!row.setting.empty() && row.setting != column.direction) parts.push_back(row.setting);
  return join(parts, " · ");
}

Json make_points(const ResultsTable& table) {
  Json points = Json::array();
  for (const TableRow* row : finished_rows(table)) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const auto& score = row->scores[i];
      if (!score || !row->total_parameters) continue;
      const Estimate& bleu = score->bleu;
      Json point = {{"strategy", row->label},
                    {"experts", row->experts},
                    {"parameters", *row->total_parameters},
                    {"bleu", bleu.mean},
                    {"undertrained", row->undertrained},
                    {"panel", panel_name(table, table.columns[i], *row)}};
      if (bleu.interval) {
        point["low"] = bleu.interval->low;
        point["high"] = bleu.interval->high;
      }
      points.push_back(std::move(point));
    }
  }
  return points;
}

/// Ticks at 1, 1.5, 2, 3, 5, 7 times the powers of ten inside the range, which is what a narrow log axis needs.
Json parameter_axis(double low, double high) {
  Json ticks = Json::array();
  for (int exponent = static_cast<int>(std::floor(std::log10(low))); std::pow(10, exponent) <= high; ++exponent) {
    const double decade = std::pow(10, exponent);
    for (const double step : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) {
      if (decade * step >= low && decade * step <= high) ticks.push_back(decade * step);
    }
  }
  Json axis = {{"format", "~s"}, {"grid", false}};
  if (ticks.size() > 1) axis["values"] = ticks;  // else the range is so narrow that even ticks serve
  return axis;
}

Json x_channel(double low, double high) {
  return {{"field", "place"},
          {"type", "quantitative"},
          {"title", "total parameters (log scale)"},
          {"scale", {{"type", "log"}, {"domain", {low, high}}, {"nice", false}}},
          {"axis", parameter_axis(low, high)}};
}

/// The smallest and the largest size with a margin.
std::pair<double, double> axis_range(const Json& points) {
  std::vector<double> sizes;
  for (const Json& point : points) sizes.push_back(point["parameters"].get<double>());
  const auto [smallest, largest] = std::minmax_element(sizes.begin(), sizes.end());
  return {*smallest / 1.1, *largest * 1.1};
}

bool has_intervals(const Json& points) {
  return std::any_of(points.begin(), points.end(), [](const Json& point) { return point.contains("low"); });
}

/// Sets `place` on the axis: where strategies of one size have intervals, they stand side by side, each a hundredth of
/// the axis from the next, or one bar would cover another.
void place_on_axis(Json& points, double low, double high) {
  const double step = has_intervals(points) ? 0.01 * std::log(high / low) : 0;
  for (Json& point : points) {
    const auto same_size = [&](const Json& other) {
      return other["panel"] == point["panel"] && other["parameters"] == point["parameters"];
    };
    const auto before = std::count_if(points.begin(), points.begin() + (&point - &points.front()), same_size);
    const auto all = std::count_if(points.begin(), points.end(), same_size);
    const double offset = static_cast<double>(before) - static_cast<double>(all - 1) / 2;
    point["place"] = point["parameters"].get<double>() * std::exp(step * offset);
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
  return {{"domain", {std::max(*low - margin, 0.0), *high + margin}}};
}

Json make_layers(const Json& points, const Json& x, const Json& bleu_scale, const StrategyStyles& styles) {
  const Json y = {
      {"field", "bleu"}, {"type", "quantitative"}, {"title", axis_title(find_metric("bleu"))}, {"scale", bleu_scale}};
  Json layers = {strategy_lines(styles, x, y), strategy_points(styles, x, y, "datum.undertrained")};
  if (has_intervals(points)) {
    Json foot = y;
    foot["field"] = "low";
    Json bars = strategy_lines(styles, x, foot);
    bars["mark"] = {{"type", "rule"}, {"strokeWidth", 1.5}};
    bars["transform"] = {{{"filter", "isValid(datum.low)"}}};
    bars["encoding"]["y2"] = {{"field", "high"}};
    bars["encoding"].erase("strokeDash");
    layers.insert(layers.begin(), bars);
  }
  return layers;
}

std::optional<Json> parameter_efficiency_specification(const ResultsTable& table, const std::string& title) {
  Json points = make_points(table);
  if (points.empty()) return std::nullopt;
  const auto [low, high] = axis_range(points);
  place_on_axis(points, low, high);
  const Json panels = values_in_order(points, "panel");
  const bool one_panel = panels.size() == 1;
  const std::string only =
      table.columns.size() > 1 ? "" : table.columns[0].set + ", " + table.columns[0].direction + ". ";
  Json chart =
      base_specification(title, {only + evidence_sentence(table), undertrained_sentence(finished_rows(table))});
  chart["data"] = {{"values", points}};
  const Json view = {
      {"width", one_panel ? 620 : 330},
      {"height", one_panel ? 400 : 270},
      {"layer", make_layers(points, x_channel(low, high), bleu_scale(points, one_panel), StrategyStyles(table))}};
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

Chart parameter_efficiency_chart() {
  const std::string title = "Test BLEU against total parameters";
  return {
      .name = "parameter_efficiency",
      .title = title,
      .caption =
          "One line a strategy; its points are its numbers of experts, more to the right. A strategy without "
          "experts is a single point. The BLEU axis need not start at zero. Lines join what was measured and "
          "say nothing about sizes between the points. Strategies of one size stand side by side where they have "
          "intervals.",
      .specification = [title](const ResultsTable& table) { return parameter_efficiency_specification(table, title); }};
}

}  // namespace moe
