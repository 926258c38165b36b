#include "harness/report/charts/axis_lines.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/report/charts/rows.h"
#include "harness/sweep/setting_names.h"
#include "metrics/table.h"

#include <algorithm>
#include <map>
#include <set>

namespace moe {
namespace {

std::vector<const TableRow*> rows_on(const ResultsTable& table, const NumberAxis& axis) {
  std::vector<const TableRow*> rows = axis.largest ? largest_rows(table) : finished_rows(table);
  std::erase_if(rows, [&](const TableRow* row) { return !axis.value(*row); });
  return rows;
}

/// What differs between runs besides the number itself; the data's digest follows from it.
std::vector<std::string> other_keys(const ResultsTable& table, const NumberAxis& axis) {
  std::vector<std::string> keys = table.axes;
  std::erase_if(keys, [&](const std::string& key) {
    return key == "data_digest" || std::find(axis.keys.begin(), axis.keys.end(), key) != axis.keys.end();
  });
  return keys;
}

/// Whether rows of one strategy with one number have one value of the key: it tells no points of a line apart.
bool follows_from_number(const std::string& key, const std::vector<const TableRow*>& rows, const NumberAxis& axis) {
  std::map<std::pair<std::string, double>, Json> values;
  return std::all_of(rows.begin(), rows.end(), [&](const TableRow* row) {
    const Json value = row->runs.front()->settings.value(key, Json());
    return values.emplace(std::pair(row->label, axis.value(*row).value_or(0)), value).first->second == value;
  });
}

/// Settings that change along a line, with the number: a sentence for the face of the chart, or none.
std::string changing_sentence(const ResultsTable& table, const NumberAxis& axis) {
  if (axis.keys.empty()) return "";  // panels part by all settings
  const std::vector<const TableRow*> rows = rows_on(table, axis);
  std::vector<std::string> names;
  for (const std::string& key : other_keys(table, axis)) {
    std::map<std::string, std::set<Json>> values;
    for (const TableRow* row : rows) values[row->label].insert(row->runs.front()->settings.value(key, Json()));
    const bool changes = std::any_of(values.begin(), values.end(), [](const auto& of) { return of.second.size() > 1; });
    if (changes && follows_from_number(key, rows, axis)) {
      names.push_back(replace_all(key.substr(key.rfind('.') + 1), "_", " "));
    }
  }
  return names.empty() ? "" : fmt::format("Along the lines change also: {}.", join(names, ", "));
}

/// What tells rows apart besides strategy and the number, in words.
std::vector<std::string> other_settings(const ResultsTable& table, const std::vector<const TableRow*>& rows,
                                        const NumberAxis& axis) {
  std::vector<std::string> names;
  if (axis.keys.empty()) {
    for (const TableRow* row : rows) names.push_back(row->panel);
    return names;
  }
  std::vector<std::string> keys = other_keys(table, axis);
  std::erase_if(keys, [&](const std::string& key) { return follows_from_number(key, rows, axis); });
  std::vector<FlatSettings> settings;
  for (const TableRow* row : rows) settings.push_back(row->runs.front()->settings);
  return setting_names(settings, keys);
}

Json number_points(const ResultsTable& table, const NumberAxis& axis) {
  const std::vector<const TableRow*> rows = rows_on(table, axis);
  const std::vector<std::string> settings = other_settings(table, rows, axis);
  Json points = Json::array();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::optional<TestCell>& cell = rows[r]->scores[i];
      const std::optional<double> number = axis.value(*rows[r]);
      if (!cell || !number) continue;
      const Estimate& bleu = cell->bleu;
      Json point = {
          {"strategy", rows[r]->label},
          {"number", *number},
          {"bleu", bleu.mean},
          {"undertrained", rows[r]->undertrained},
          {"panel", panel_name(table, table.columns[i], settings[r])},
          {"words", fmt::format("{}, {} {:g}: BLEU {:.1f}", marked_label(*rows[r]), axis.title, *number, bleu.mean)}};
      if (bleu.interval) {
        point["low"] = bleu.interval->low;
        point["high"] = bleu.interval->high;
      }
      points.push_back(std::move(point));
    }
  }
  return points;
}

bool any_line(const Json& points) {
  std::map<std::pair<std::string, std::string>, std::set<double>> numbers;
  for (const Json& point : points) {
    numbers[{point["panel"].get<std::string>(), point["strategy"].get<std::string>()}].insert(
        point["number"].get<double>());
  }
  return std::any_of(numbers.begin(), numbers.end(), [](const auto& line) { return line.second.size() > 1; });
}

/// A logarithmic axis whose ticks are the values that were run.
Json number_channel(const Json& points, const std::string& title) {
  std::set<double> values;
  for (const Json& point : points) values.insert(point["number"].get<double>());
  return {{"field", "number"},
          {"type", "quantitative"},
          {"title", title + " (log scale)"},
          {"scale", {{"type", "log"}, {"domain", {*values.begin() / 1.1, *values.rbegin() * 1.1}}, {"nice", false}}},
          {"axis", {{"values", values}, {"format", "~g"}, {"grid", false}, {"labelOverlap", true}}}};
}

Json number_layers(const Json& points, const std::string& title, const StrategyStyles& styles) {
  const Json x = number_channel(points, title);
  const Json y = {{"field", "bleu"},
                  {"type", "quantitative"},
                  {"title", axis_title(find_metric("bleu"))},
                  {"scale", {{"zero", false}}}};
  Json foot = y;
  foot["field"] = "low";
  Json bars = strategy_lines(styles, x, foot);
  bars["mark"] = {{"type", "rule"}, {"strokeWidth", 1.5}, {"aria", false}};
  bars["transform"] = Json::array({{{"filter", "isValid(datum.low)"}}});
  bars["encoding"]["y2"] = {{"field", "high"}};
  bars["encoding"].erase("strokeDash");
  return Json::array({bars, strategy_lines(styles, x, y), strategy_points(styles, x, y, "datum.undertrained")});
}

std::optional<Json> axis_lines_specification(const ResultsTable& table, const NumberAxis& axis,
                                             const std::string& title) {
  const Json points = number_points(table, axis);
  if (!any_line(points)) return std::nullopt;
  const Json panels = values_in_order(points, "panel");
  const bool one_panel = panels.size() == 1;
  Json chart = base_specification(
      title, {evidence_sentence(table), undertrained_sentence(finished_rows(table)),
              axis.largest ? "Each strategy with its largest number of experts." : "", changing_sentence(table, axis)});
  chart["data"] = {{"values", points}};
  const Json view = {{"width", one_panel ? 560 : 330},
                     {"height", one_panel ? 360 : 250},
                     {"layer", number_layers(points, axis.title, StrategyStyles(table))}};
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

Chart axis_lines_chart(const NumberAxis& axis) {
  const std::string title = "Test BLEU against " + axis.title;
  return {.name = axis.name,
          .section = Section::results,
          .title = title,
          .caption = axis.caption,
          .specification = [axis, title](const ReportData& data) {
            return axis_lines_specification(data.table, axis, title);
          }};
}

}  // namespace moe
