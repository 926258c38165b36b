#include "harness/report/report.h"

#include "core/files.h"
#include "harness/report/budget_table.h"
#include "harness/report/charts/chart.h"
#include "harness/report/draw_charts.h"
#include "harness/report/html_report.h"
#include "harness/report/summary.h"

#include <iostream>

namespace moe {
namespace {

/// Writes the specifications of the charts that have something to show, in place of all that an earlier report left.
std::vector<DrawnChart> write_specifications(const ResultsTable& table, const std::filesystem::path& folder) {
  std::vector<DrawnChart> charts;
  for (const Chart& chart : all_charts()) {
    for (const char* ending : {".vl.json", ".svg", ".png"}) std::filesystem::remove(folder / (chart.name + ending));
    if (const std::optional<Json> specification = chart.specification(table)) {
      write_file(folder / (chart.name + ".vl.json"), format_json(*specification));
      charts.push_back({.name = chart.name, .title = chart.title, .caption = chart.caption, .svg = ""});
    }
  }
  return charts;
}

void write_tables(const ResultsTable& table, const std::filesystem::path& folder) {
  std::string markdown = to_markdown(format_results(table)) + "\n";
  for (const std::string& note : table_notes(table)) markdown += note + "\n\n";
  markdown.pop_back();
  write_file(folder / "results.md", markdown);
  write_file(folder / "results.csv", to_csv(results_in_full(table)));

  std::filesystem::remove(folder / "budgets.md");
  const TextTable budgets = budget_table(table);
  if (budgets.rows.empty()) return;
  std::string text = to_markdown(budgets) + "\n";
  for (const std::string& note : budget_notes()) text += note + "\n\n";
  text.pop_back();
  write_file(folder / "budgets.md", text);
}

}  // namespace

void write_report(const ResultSet& results, const std::filesystem::path& out) {
  const ResultsTable table = make_results_table(results);
  write_file(out / "summary.json", format_json(summary_json(results, table)));
  write_file(out / "summary.csv", summary_csv(results, table));
  write_tables(table, out / "report/tables");

  const std::filesystem::path chart_folder = out / "report/charts";
  std::vector<DrawnChart> charts = write_specifications(table, chart_folder);
  std::string drawing_failure;
  if (!charts.empty()) drawing_failure = draw_charts(chart_folder).value_or("");
  for (DrawnChart& chart : charts) {
    const std::filesystem::path svg = chart_folder / (chart.name + ".svg");
    if (drawing_failure.empty()) chart.svg = read_file(svg);
  }
  if (!drawing_failure.empty()) std::cerr << drawing_failure << "\n";
  write_file(out / "report/index.html", html_report(results, table, charts, drawing_failure));
}

}  // namespace moe
