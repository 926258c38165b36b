#include "harness/report/html_report.h"

#include "core/error.h"
#include "harness/report/charts/style.h"
#include "harness/report/page/html_facts.h"
#include "harness/report/page/html_script.h"
#include "harness/report/page/html_style.h"
#include "harness/report/page/in_words.h"
#include "harness/report/tables/budget_table.h"
#include "harness/report/tables/claims_table.h"
#include "harness/report/tables/direction_table.h"
#include "harness/report/tables/latency_table.h"
#include "harness/run/machine.h"

#include <algorithm>

namespace moe {
namespace {

/// The charts that stand in one section.
std::string figures(const std::vector<DrawnChart>& charts, Section section) {
  std::string html;
  for (const DrawnChart& chart : charts) {
    if (chart.section == section && !chart.svg.empty()) html += html_figure(chart);
  }
  return html;
}

/// Nothing where there is nothing in it.
std::string section(const char* id, const char* title, const std::string& body) {
  return body.empty() ? "" : fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", id, title, body);
}

/// The badge before it says the verdict already.
std::string without_verdict(const Statement& statement) {
  if (!statement.verdict) return statement.text;
  const std::string said = ": " + verdict_name(*statement.verdict) + ".";
  const std::size_t at = statement.text.find(said);
  if (at == std::string::npos) return statement.text;
  return statement.text.substr(0, at) + "." + statement.text.substr(at + said.size());
}

std::string words_of(const ReportData& data) {
  if (data.table.rows.empty() && data.verdicts.empty()) return "";
  std::string items;
  for (const Statement& statement : in_words(data)) {
    const std::string badge = statement.verdict
                                  ? fmt::format("<b style=\"--mark:{}\">{}</b> ", verdict_colour(*statement.verdict),
                                                verdict_name(*statement.verdict))
                                  : "";
    items += "<p>" + badge + escape_html(without_verdict(statement)) + "</p>\n";
  }
  return "<div class=\"card words\">" + items + "</div>\n";
}

std::string swatch(const std::string& colour) {
  return fmt::format("<span class=\"swatch\" style=\"background:{}\"></span>", colour);
}

std::string claims_of(const std::vector<Verdict>& verdicts) {
  if (verdicts.empty()) return "";
  std::vector<std::string> swatches;
  for (const Verdict& verdict : verdicts) swatches.push_back(swatch(verdict_colour(verdict.verdict)));
  return html_table(format_claims(verdicts), "Verdicts on the claims", swatches) + html_notes(claims_notes(verdicts));
}

std::string results_of(const ResultSet& results, const ResultsTable& table) {
  if (table.rows.empty()) return "";
  const StrategyStyles styles(table);
  std::vector<std::string> swatches;
  for (const TableRow& row : table.rows) swatches.push_back(swatch(styles.colour(row.label)));
  std::string html = html_table(format_results(table), "Results", swatches) + html_notes(table_notes(table));
  const TextTable directions = direction_table(results, table);
  if (!directions.rows.empty()) {
    html +=
        "<h3>By language pair</h3>\n" + html_table(directions, "BLEU by language pair") + html_notes(direction_notes());
  }
  const TextTable budgets = budget_table(table);
  if (!budgets.rows.empty()) {
    html += "<h3>At equal budgets</h3>\n" + html_table(budgets, "Validation BLEU at equal budgets") +
            html_notes(budget_notes(table));
  }
  return html;
}

std::string latency_of(const ResultsTable& table) {
  const TextTable latency = latency_table(table);
  if (latency.rows.empty()) return "";
  return "<h3>Time to translate</h3>\n" + html_table(latency, "Time to translate") + html_notes(latency_notes(table));
}

std::string failures_section(const ResultSet& results) {
  std::string items;
  for (const RunResult& run : results.runs) {
    if (!run.failed()) continue;
    items +=
        fmt::format("<li><code>{}</code>: {}</li>\n", escape_html(run.run_id), escape_html(run.failure.value_or("")));
  }
  if (items.empty()) return "";
  return "<section id=\"failures\"><h2>Failed runs</h2><div class=\"card\"><ul class=\"failures\">\n" + items +
         "</ul></div></section>\n";
}

std::string warnings(const ResultSet& results, const std::string& drawing_failure) {
  std::string html;
  const auto warn = [&](const std::string& sentence) { html += "<p class=\"warning\">" + sentence + "</p>\n"; };
  if (!drawing_failure.empty()) warn(escape_html(drawing_failure));
  if (results.runs.empty()) warn("No run has a result yet.");
  for (const std::string& remark : remarks_on(results)) warn(escape_html(remark));
  if (results.repeated > 0) {
    warn(fmt::format("Results left out because another folder has the same run: {}.", results.repeated));
  }
  if (machine_count(results) > 1) {
    warn("The runs were measured on different machines or settings: their speeds do not compare.");
  }
  return html;
}

std::string navigation(const std::string& body) {
  std::string links;
  const auto link = [&](const char* id, const char* text) {
    if (body.find(fmt::format("<section id=\"{}\"", id)) != std::string::npos) {
      links += fmt::format("<a href=\"#{}\">{}</a>", id, text);
    }
  };
  link("words", "In words");
  link("verdicts", "Verdicts");
  link("efficiency", "Efficiency");
  link("results", "Results");
  link("why", "Why");
  link("thor", "THOR");
  link("cost", "Cost");
  link("run", "How each number was made");
  link("failures", "Failed runs");
  return "<nav aria-label=\"Sections\">" + links + "</nav>";
}

}  // namespace

std::string report_mark(const ResultSet& results) {
  return fmt::format("<meta name=\"moe-bench\" content=\"{} {}\">\n", software_facts()["revision"].get<std::string>(),
                     digest_of(results));
}

std::string html_report(const ResultSet& results, const ReportData& data, const std::vector<DrawnChart>& charts,
                        const std::string& drawing_failure) {
  std::string body = section("words", "In words", words_of(data));
  body += section("verdicts", "Verdicts", figures(charts, Section::verdicts) + claims_of(data.verdicts));
  body += section("efficiency", "What scores cost", figures(charts, Section::efficiency));
  body += section("results", "Results", results_of(results, data.table) + figures(charts, Section::results));
  body += section("why", "Why", figures(charts, Section::why));
  body += section("thor", "THOR", figures(charts, Section::thor));
  body += section("cost", "Cost", figures(charts, Section::cost) + latency_of(data.table));
  body += how_section(results) + failures_section(results);
  const std::string name = escape_html(results.name);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0} · moe-bench</title>\n"
      "{5}<style>{1}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the results</a>\n<main>\n"
      "<header><h1>{0}</h1><p>Routing strategies compared by moe-bench. Runs: {2}.</p>{3}</header>\n"
      "<div id=\"content\" tabindex=\"-1\">\n{4}{6}</div>\n</main>\n"
      "<script>{7}</script>\n</body>\n</html>\n",
      name, html_style, counts_text(results), navigation(body), warnings(results, drawing_failure),
      report_mark(results), body, html_script);
}

}  // namespace moe
