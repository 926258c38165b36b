// Training speed of each strategy.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/rows.h"

namespace moe {
namespace {

std::optional<Json> speed_specification(const ResultsTable& table, const std::string& title) {
  if (table.side_by_side) return std::nullopt;
  Json bars = Json::array();
  for (const TableRow* row : finished_rows(table)) {
    if (!row->tokens_per_second) continue;
    add_bar(bars, *row, *row->tokens_per_second, fmt::format("{:.0f} tokens/s", row->tokens_per_second->mean));
  }
  if (bars.empty()) return std::nullopt;
  Json chart = base_specification(
      title, {evidence_sentence(table), undertrained_sentence(finished_rows(table)), machine_sentence(table)});
  Json view = bar_view(bars, "training target tokens per second", ",.0f", StrategyStyles(table));
  view["width"] = 500;
  put_view(chart, bars, view);
  return chart;
}

}  // namespace

Chart speed_chart() {
  const std::string title = "Training speed";
  return {.name = "speed",
          .section = Section::cost,
          .title = title,
          .caption =
              "Target tokens per second of training time, validation left out, as measured during the runs. It "
              "depends on the machine, its threads and whatever else ran there, so compare only what ran under "
              "the same conditions. Left out where runs worked side by side.",
          .specification = [title](const ReportData& data) { return speed_specification(data.table, title); }};
}

}  // namespace moe
