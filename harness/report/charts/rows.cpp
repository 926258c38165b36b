#include "harness/report/charts/rows.h"

#include "core/error.h"

#include <algorithm>

namespace moe {

std::string row_name(const TableRow& row) {
  return row.experts > 1 ? fmt::format("{}, {} experts", marked_label(row), row.experts) : marked_label(row);
}

Json row_channel(const Json& data) {
  return {
      {"field", "row"},
      {"type", "nominal"},
      {"title", nullptr},
      {"sort", values_in_order(data, "row")},
      {"axis",
       {{"ticks", false}, {"domain", false}, {"labelLimit", 320}, {"labelPadding", 8}, {"labelColor", ink::strong}}}};
}

Json row_stroke(const StrategyStyles& styles) {
  return {{"field", "strategy"}, {"type", "nominal"}, {"scale", styles.colour_scale()}, {"legend", nullptr}};
}

Json row_fill(const StrategyStyles& styles) {
  Json fill = row_stroke(styles);
  fill["condition"] = {{"test", "datum.undertrained"}, {"value", "white"}};
  return fill;
}

void add_bar(Json& bars, const TableRow& row, const Estimate& value, const std::string& figure) {
  const std::string seeds = value.count > 1 ? fmt::format(", mean of {} seeds", value.count) : "";
  const double high = value.interval ? value.interval->high : value.mean;
  bars.push_back({{"strategy", row.label},
                  {"row", row_name(row)},
                  {"setting", row.panel},
                  {"undertrained", row.undertrained},
                  {"value", value.mean},
                  {"low", value.interval ? value.interval->low : value.mean},
                  {"high", high},
                  {"end", std::max(high, 0.0)},
                  {"words", fmt::format("{}: {}{}", row_name(row), figure, seeds)}});
}

Json bar_view(const Json& bars, const std::string& axis_title, const std::string& format,
              const StrategyStyles& styles) {
  double longest = 0, lowest = 0;
  for (const Json& bar : bars) {
    longest = std::max(longest, bar["high"].get<double>());
    lowest = std::min(lowest, bar["low"].get<double>());
  }
  const double room = 0.1 * (longest - lowest);  // for the numbers
  const Json y = row_channel(bars);
  const auto x = [&](const char* field) {
    return Json{{"field", field},
                {"type", "quantitative"},
                {"title", axis_title},
                {"scale", {{"domain", {lowest, longest + room}}, {"nice", false}}},
                {"axis", {{"format", format}, {"tickCount", 5}}}};
  };
  const Json tiles = {
      {"mark", {{"type", "bar"}, {"height", {{"band", 0.72}}}, {"cornerRadiusEnd", 2}, {"strokeWidth", 2}}},
      {"encoding",
       {{"x", x("value")},
        {"y", y},
        {"fill", row_fill(styles)},
        {"stroke", row_stroke(styles)},
        {"description", spoken()}}}};
  const Json spans = {{"transform", Json::array({{{"filter", "datum.low < datum.high"}}})},
                      {"mark", {{"type", "rule"}, {"strokeWidth", 1.5}, {"color", ink::strong}, {"aria", false}}},
                      {"encoding", {{"y", y}, {"x", x("low")}, {"x2", {{"field", "high"}}}}}};
  const Json text = {{"field", "value"}, {"type", "quantitative"}, {"format", format}};
  const Json numbers = {
      {"mark", {{"type", "text"}, {"align", "left"}, {"dx", 6}, {"color", ink::muted}, {"aria", false}}},
      {"encoding", {{"y", y}, {"x", x("end")}, {"text", text}}}};
  return {{"height", {{"step", 21}}}, {"view", {{"stroke", nullptr}}}, {"layer", Json::array({tiles, spans, numbers})}};
}

void put_view(Json& chart, const Json& data, const Json& view, const std::string& column) {
  chart["data"] = {{"values", data}};
  const auto by = [&](const std::string& field) {
    return Json{{"field", field}, {"type", "nominal"}, {"title", nullptr}, {"sort", values_in_order(data, field)}};
  };
  const bool beside = !column.empty() && values_in_order(data, column).size() > 1;
  const bool below = values_in_order(data, "setting").size() > 1;
  if (!beside && !below) {
    chart.update(view);
    return;
  }
  if (beside) chart["facet"]["column"] = by(column);
  if (below) chart["facet"]["row"] = by("setting");
  chart["spec"] = view;
  // Panels beside each other share the names of their rows; those below each other may have other rows.
  if (!beside) chart["resolve"] = {{"scale", {{"y", "independent"}}}};
}

}  // namespace moe
