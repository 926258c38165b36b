#include "harness/report/tables/report_tables.h"

#include "core/files.h"
#include "harness/report/tables/budget_table.h"
#include "harness/report/tables/claims_table.h"
#include "harness/report/tables/direction_table.h"
#include "harness/report/tables/latency_table.h"

namespace moe {
namespace {

/// A table that some results lack, in the forms it is written in. A form without rows is not written.
struct OptionalTable {
  std::string name;
  TextTable people;  ///< Markdown
  TextTable full;    ///< CSV
  TextTable paper;   ///< LaTeX
  std::vector<std::string> notes;
};

std::string with_notes(const TextTable& table, const std::vector<std::string>& notes) {
  std::string markdown = to_markdown(table) + "\n";
  for (const std::string& note : notes) markdown += note + "\n\n";
  markdown.pop_back();
  return markdown;
}

void write_or_remove(const OptionalTable& table, const std::filesystem::path& folder) {
  for (const char* ending : {".md", ".csv", ".tex"}) std::filesystem::remove(folder / (table.name + ending));
  if (!table.people.rows.empty()) write_file(folder / (table.name + ".md"), with_notes(table.people, table.notes));
  if (!table.full.rows.empty()) write_file(folder / (table.name + ".csv"), to_csv(table.full));
  if (!table.paper.rows.empty()) write_file(folder / (table.name + ".tex"), to_latex(table.paper));
}

}  // namespace

void write_tables(const ResultSet& results, const ReportData& data, const std::filesystem::path& folder) {
  const TextTable directions = direction_table(results, data.table);
  const TextTable latency = latency_table(data.table);
  const TextTable claims = format_claims(data.verdicts);
  write_file(folder / "results.md", with_notes(format_results(data.table), table_notes(data.table)));
  write_file(folder / "results.csv", to_csv(results_in_full(data.table)));
  write_file(folder / "results.tex", to_latex(results_for_papers(data.table)));
  write_or_remove({"budgets", budget_table(data.table), {}, {}, budget_notes(data.table)}, folder);
  write_or_remove({"directions", directions, directions, directions, direction_notes()}, folder);
  write_or_remove({"latency", latency, latency, latency, latency_notes(data.table)}, folder);
  write_or_remove({"claims", claims, claims_in_full(data.verdicts), claims, claims_notes(data.verdicts)}, folder);
}

}  // namespace moe
