// The most memory that each strategy held.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/rows.h"

namespace moe {
namespace {

std::optional<Estimate> peak_memory(const TableRow& row) {
  std::vector<double> megabytes;
  for (const RunResult* run : row.runs) {
    const auto& bytes = run->measurements.peak_memory_bytes;
    if (bytes) megabytes.push_back(static_cast<double>(*bytes) / 1e6);
  }
  return estimate(megabytes);
}

std::optional<Json> memory_specification(const ResultsTable& table, const std::string& title) {
  Json bars = Json::array();
  for (const TableRow* row : finished_rows(table)) {
    const std::optional<Estimate> peak = peak_memory(*row);
    if (peak) add_bar(bars, *row, *peak, fmt::format("{:.0f} MB", peak->mean));
  }
  if (bars.empty()) return std::nullopt;
  Json chart = base_specification(
      title, {evidence_sentence(table), undertrained_sentence(finished_rows(table)), machine_sentence(table)});
  Json view = bar_view(bars, "peak memory of the process in MB", ",.0f", StrategyStyles(table));
  view["width"] = 500;
  put_view(chart, bars, view);
  return chart;
}

}  // namespace

Chart memory_chart() {
  const std::string title = "Peak memory";
  return {.name = "memory",
          .section = Section::cost,
          .title = title,
          .caption =
              "The largest resident memory of a run's process, LibTorch itself (some 200 MB) included. A run that was "
              "cut and went on counts its last process.",
          .specification = [title](const ReportData& data) { return memory_specification(data.table, title); }};
}

}  // namespace moe
