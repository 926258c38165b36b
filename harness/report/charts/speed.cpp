// Training speed of each strategy.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/style.h"

#include <algorithm>

namespace moe {
namespace {

Json make_bars(const ResultsTable& table) {
  Json bars = Json::array();
  for (const TableRow* row : finished_rows(table)) {
    if (!row->tokens_per_second) continue;
    const Estimate& rate = *row->tokens_per_second;
    Json bar = {{"strategy", row->label},
                {"row", row->experts > 1 ? fmt::format("{}, {} experts", marked_label(*row), row->experts)
                                         : marked_label(*row)},
                {"setting", row->setting},
                {"rate", rate.mean}};
    bar["low"] = rate.interval ? std::max(rate.interval->low, 0.0) : rate.mean;
    bar["high"] = rate.interval ? rate.interval->high : rate.mean;
    bars.push_back(std::move(bar));
  }
  return bars;
}

Json make_layers(const Json& rows, const StrategyStyles& styles, double longest) {
  const Json y = {
      {"field", "row"},
      {"type", "nominal"},
      {"title", nullptr},
      {"sort", rows},
      {"axis",
       {{"ticks", false}, {"domain", false}, {"labelLimit", 320}, {"labelPadding", 8}, {"labelColor", ink::strong}}}};
  const auto x = [&](const char* field) {
    return Json{{"field", field},
                {"type", "quantitative"},
                {"title", "training target tokens per second"},
                {"scale", {{"domain", {0, 1.1 * longest}}, {"nice", false}}},  // room for the numbers
                {"axis", {{"format", ",.0f"}, {"tickCount", 6}}}};
  };
  const Json colour = {
      {"field", "strategy"}, {"type", "nominal"}, {"scale", styles.colour_scale()}, {"legend", nullptr}};
  const Json bars = {{"mark", {{"type", "bar"}, {"height", {{"band", 0.72}}}, {"cornerRadiusEnd", 2}}},
                     {"encoding", {{"x", x("rate")}, {"y", y}, {"color", colour}}}};
  const Json spans = {{"transform", {{{"filter", "datum.low < datum.high"}}}},
                      {"mark", {{"type", "rule"}, {"strokeWidth", 1.5}, {"color", ink::strong}}},
                      {"encoding", {{"y", y}, {"x", x("low")}, {"x2", {{"field", "high"}}}}}};
  const Json text = {{"field", "rate"}, {"type", "quantitative"}, {"format", ",.0f"}};
  const Json numbers = {{"mark", {{"type", "text"}, {"align", "left"}, {"dx", 6}, {"color", ink::muted}}},
                        {"encoding", {{"y", y}, {"x", x("high")}, {"text", text}}}};
  return {bars, spans, numbers};
}

std::optional<Json> speed_specification(const ResultsTable& table, const std::string& title) {
  const Json bars = make_bars(table);
  if (bars.empty()) return std::nullopt;
  double longest = 0;
  for (const Json& bar : bars) longest = std::max(longest, bar["high"].get<double>());
  const Json settings = values_in_order(bars, "setting");
  const bool unsettled = !undertrained_sentence(finished_rows(table)).empty();
  Json chart = base_specification(title, {evidence_sentence(table), unsettled ? "†: undertrained." : ""});
  chart["data"] = {{"values", bars}};
  const Json view = {{"width", 500},
                     {"height", {{"step", 21}}},
                     {"view", {{"stroke", nullptr}}},
                     {"layer", make_layers(values_in_order(bars, "row"), StrategyStyles(table), longest)}};
  if (settings.size() > 1) {
    chart["facet"] = {{"row", {{"field", "setting"}, {"type", "nominal"}, {"title", nullptr}, {"sort", settings}}}};
    chart["spec"] = view;
    chart["resolve"] = {{"scale", {{"y", "independent"}}}};
  } else {
    chart.update(view);
  }
  return chart;
}

}  // namespace

Chart speed_chart() {
  const std::string title = "Training speed";
  return {.name = "speed",
          .title = title,
          .caption =
              "Target tokens per second of training time, validation left out, as measured during the runs. It "
              "depends on the machine, its threads and whatever else ran there, so compare only what ran under "
              "the same conditions.",
          .specification = [title](const ResultsTable& table) { return speed_specification(table, title); }};
}

}  // namespace moe
