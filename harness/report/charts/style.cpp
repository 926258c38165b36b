#include "harness/report/charts/style.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/results/machine_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace moe {
namespace {

constexpr std::array neutrals = {"#4f5661", "#8d95a0", "#a08a6b", "#c3b092", "#6d7a5f"};
constexpr std::array hues = {"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9",
                             "#7a57b3", "#9aa100", "#00a2ad", "#8c4a1f", "#e0559a", "#3d5a99"};
constexpr std::array shapes = {"circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-right"};

constexpr std::size_t legend_rows = 20;  ///< as many names stand one below the other beside a chart

/// The dash of the n-th round through the colours: solid, then broken in one way after the other.
Json dash_of(std::size_t round) {
  static const Json dashes = {{1, 0}, {6, 3}, {2, 3}, {10, 3, 2, 3}, {14, 4}};
  return dashes[round % dashes.size()];
}

/// A channel whose legend names every strategy, in as many columns as that takes; by default Vega leaves out all after
/// the first 29.
Json strategy_channel(const Json& scale) {
  const std::size_t columns = (scale["domain"].size() + legend_rows - 1) / legend_rows;
  const Json legend = {
      {"title", "strategy"}, {"symbolSize", 90}, {"symbolStrokeWidth", 2}, {"symbolLimit", 0}, {"columns", columns}};
  return {{"field", "strategy"}, {"type", "nominal"}, {"scale", scale}, {"legend", legend}};
}

bool has_choice(const TableRow& row) {
  return std::any_of(row.runs.begin(), row.runs.end(), [](const RunResult* run) {
    return std::any_of(run->routing.begin(), run->routing.end(),
                       [](const auto& layer) { return layer.figures.load.size() > 1; });
  });
}

}  // namespace

StrategyStyles::StrategyStyles(const ResultsTable& table) {
  std::size_t neutral = 0;
  std::size_t hue = 0;
  for (const TableRow& row : table.rows) {
    if (std::find(strategies_.begin(), strategies_.end(), row.label) != strategies_.end()) continue;
    const bool chooses = std::any_of(table.rows.begin(), table.rows.end(), [&](const TableRow& other) {
      return other.label == row.label && has_choice(other);
    });
    const std::size_t i = chooses ? hue++ : neutral++;
    const std::size_t colours = chooses ? hues.size() : neutrals.size();
    const std::size_t round = i / colours;
    strategies_.push_back(row.label);
    colours_.push_back(chooses ? hues[i % hues.size()] : neutrals[i % neutrals.size()]);
    shapes_.push_back(shapes[(i % colours + round) % shapes.size()]);  // a colour that comes again has another shape
    dashes_.push_back(dash_of(round));
  }
}

const std::string& StrategyStyles::colour(const std::string& label) const {
  const auto place = std::find(strategies_.begin(), strategies_.end(), label);
  MOE_CHECK(place != strategies_.end(), "The strategy \"{}\" is not in the table.", label);
  return colours_[static_cast<std::size_t>(place - strategies_.begin())].get_ref<const std::string&>();
}

const char* verdict_colour(VerdictKind verdict) {
  switch (verdict) {
    case VerdictKind::supported:
      return "#0072b2";
    case VerdictKind::contradicted:
      return "#d55e00";
    case VerdictKind::undecided:
      return "#7a57b3";
    case VerdictKind::untestable:
      break;
  }
  return "#8d95a0";
}

std::vector<const TableRow*> finished_rows(const ResultsTable& table) {
  std::vector<const TableRow*> rows;
  for (const TableRow& row : table.rows) {
    if (!row.runs.empty()) rows.push_back(&row);
  }
  return rows;
}

std::vector<const TableRow*> largest_rows(const ResultsTable& table, std::int64_t at_most) {
  std::vector<const TableRow*> largest;
  for (const TableRow* row : finished_rows(table)) {
    if (row->experts > at_most) continue;
    const auto same = std::find_if(largest.begin(), largest.end(), [&](const TableRow* other) {
      return other->label == row->label && other->setting == row->setting;
    });
    if (same == largest.end()) {
      largest.push_back(row);
    } else if (row->experts > (*same)->experts) {
      *same = row;
    }
  }
  return largest;
}

std::string undertrained_sentence(const std::vector<const TableRow*>& rows) {
  const bool any = std::any_of(rows.begin(), rows.end(), [](const TableRow* row) { return row->undertrained; });
  return any ? "Hollow points, †: undertrained." : "";
}

std::string machine_sentence(const ResultsTable& table) {
  std::set<std::string> machines;
  for (const TableRow* row : finished_rows(table)) {
    for (const RunResult* run : row->runs) machines.insert(machine_text(run->measurements.host));
  }
  return machines.size() > 1 ? "Measured on different machines or settings: do not compare." : "";
}

Json strategy_lines(const StrategyStyles& styles, const Json& x, const Json& y) {
  // Dashes would break the outlines of the legend's shapes. Vega-Lite joins the legends of equal domains, hidden ones
  // too, so theirs has one name more.
  Json dash = strategy_channel(styles.dash_scale());
  dash["legend"] = nullptr;
  dash["scale"]["domain"].push_back("");
  dash["scale"]["range"].push_back(dash_of(0));
  const Json encoding = {{"x", x}, {"y", y}, {"color", strategy_channel(styles.colour_scale())}, {"strokeDash", dash}};
  return {{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}}, {"encoding", encoding}};
}

Json strategy_points(const StrategyStyles& styles, const Json& x, const Json& y, const std::string& hollow) {
  Json fill = strategy_channel(styles.colour_scale());
  fill["condition"] = {{"test", hollow}, {"value", "white"}};
  fill["legend"] = nullptr;
  const Json encoding = {{"x", x},
                         {"y", y},
                         {"color", strategy_channel(styles.colour_scale())},
                         {"shape", strategy_channel(styles.shape_scale())},
                         {"fill", fill},
                         {"description", spoken()}};
  return {{"mark", {{"type", "point"}, {"size", 70}, {"strokeWidth", 2}, {"opacity", 1}}}, {"encoding", encoding}};
}

std::string panel_name(const ResultsTable& table, const TestColumn& column, const std::string& setting) {
  std::vector<std::string> parts;
  if (table.columns.size() > 1) parts = {column.set, column.direction};
  if (!setting.empty() && setting != column.direction) parts.push_back(setting);
  return join(parts, " · ");
}

std::string prefixed(double value) {
  constexpr std::array prefixes = {"", " k", " M", " G", " T", " P", " E", " Z"};
  std::size_t thousands = 0;
  while (std::abs(value) >= 999.5 && thousands + 1 < prefixes.size()) {
    value /= 1000;
    ++thousands;
  }
  std::string digits = fmt::format("{:#.3g}", value);
  if (digits.ends_with('.')) digits.pop_back();
  return digits + prefixes[thousands];
}

Json spoken() {
  return {{"field", "words"}, {"type", "nominal"}};
}

Json values_in_order(const Json& data, const std::string& field) {
  Json values = Json::array();
  for (const Json& datum : data) {
    if (std::find(values.begin(), values.end(), datum[field]) == values.end()) values.push_back(datum[field]);
  }
  return values;
}

Json base_specification(const std::string& title, const std::vector<std::string>& subtitle) {
  Json lines = Json::array();
  for (const std::string& line : subtitle) {
    if (!line.empty()) lines.push_back(line);
  }
  const Json axis = {{"labelColor", ink::muted}, {"titleColor", ink::strong}, {"domainColor", ink::muted},
                     {"tickColor", ink::muted},  {"gridColor", ink::line},    {"labelFontSize", 11},
                     {"titleFontSize", 12},      {"titleFontWeight", 500},    {"titlePadding", 8}};
  const Json header = {
      {"labelColor", ink::strong}, {"titleColor", ink::strong}, {"labelFontSize", 12}, {"labelFontWeight", 600}};
  const Json legend = {
      {"labelColor", ink::strong}, {"titleColor", ink::muted}, {"labelFontSize", 11.5}, {"titleFontSize", 11.5},
      {"titleFontWeight", 500},    {"labelLimit", 260},        {"rowPadding", 4},       {"offset", 20}};
  const Json heading = {
      {"color", ink::strong},        {"fontSize", 15},         {"fontWeight", 600},    {"anchor", "start"},
      {"subtitleColor", ink::muted}, {"subtitleFontSize", 12}, {"subtitlePadding", 5}, {"offset", 16}};
  return {{"$schema", "https://vega.github.io/schema/vega-lite/v6.json"},
          {"background", "white"},
          {"padding", 16},
          {"title", {{"text", title}, {"subtitle", lines}}},
          {"config",
           {{"font", "Helvetica, Arial, 'Liberation Sans', sans-serif"},
            {"axis", axis},
            {"header", header},
            {"legend", legend},
            {"title", heading},
            {"view", {{"stroke", ink::line}}}}}};
}

}  // namespace moe
