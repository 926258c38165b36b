#include "harness/report/report.h"

#include "core/error.h"
#include "core/files.h"
#include "harness/report/baseline.h"
#include "harness/report/charts/chart.h"
#include "harness/report/draw_charts.h"
#include "harness/report/html_report.h"
#include "harness/report/summary.h"
#include "harness/report/tables/report_tables.h"
#include "harness/verdicts/verdicts.h"

#include <iostream>

namespace moe {
namespace {

/// Writes the specifications of the charts that have something to show, in place of all that an earlier report left.
std::vector<DrawnChart> write_specifications(const ReportData& data, const std::filesystem::path& folder) {
  std::vector<DrawnChart> charts;
  for (const Chart& chart : all_charts()) {
    for (const char* ending : {".vl.json", ".svg", ".png"}) std::filesystem::remove(folder / (chart.name + ending));
    if (const std::optional<Json> specification = chart.specification(data)) {
      write_file(folder / (chart.name + ".vl.json"), format_json(*specification));
      charts.push_back({chart.name, chart.section, chart.title, chart.caption, ""});
    }
  }
  return charts;
}

/// The summary that stands in a folder; null where there is none, or it is damaged and will be written anew.
Json summary_in(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "summary.json";
  try {
    return std::filesystem::exists(file) ? read_json(file) : Json();
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

void write_report(const ResultSet& results, const std::vector<Verdict>& verdicts, const std::filesystem::path& out) {
  ReportData data{make_results_table(results), verdicts};
  compare_with_baseline(results, data.table);
  write_file(out / "summary.json", format_json(summary_json(results, data)));
  write_file(out / "summary.csv", summary_csv(results, data.table));
  write_tables(results, data, out / "report/tables");

  const std::filesystem::path chart_folder = out / "report/charts";
  std::vector<DrawnChart> charts = write_specifications(data, chart_folder);
  std::string drawing_failure;
  if (!charts.empty()) drawing_failure = draw_charts(chart_folder).value_or("");
  for (DrawnChart& chart : charts) {
    const std::filesystem::path svg = chart_folder / (chart.name + ".svg");
    if (drawing_failure.empty()) chart.svg = read_file(svg);
  }
  if (!drawing_failure.empty()) std::cerr << drawing_failure << "\n";
  write_file(out / "report/index.html", html_report(results, data, charts, drawing_failure));
}

FileLock lock_report(const std::filesystem::path& out) {
  std::filesystem::create_directories(out);
  return {out / "report.lock", FileLock::WhenHeld::wait};
}

void write_report_with_verdicts(const ResultSet& results, const std::filesystem::path& out) {
  write_report(results, make_verdicts(results, earlier_looks(summary_in(out))), out);
}

}  // namespace moe
