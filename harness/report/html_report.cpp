#include "harness/report/html_report.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/report/charts/style.h"
#include "harness/report/html_style.h"
#include "harness/run/machine.h"
#include "harness/sweep/setting_names.h"

#include <algorithm>

namespace moe {
namespace {

/// Distinct texts in the order in which they were added.
class Distinct {
 public:
  void add(const std::string& text) {
    if (!text.empty() && std::find(texts_.begin(), texts_.end(), text) == texts_.end()) texts_.push_back(text);
  }
  std::string joined() const { return join(texts_, "; "); }
  std::size_t size() const { return texts_.size(); }

 private:
  std::vector<std::string> texts_;
};

Distinct values_of(const ResultSet& results, const std::string& key) {
  Distinct values;
  for (const RunResult& run : results.runs) {
    const auto value = run.settings.find(key);
    if (value != run.settings.end() && !value->is_null()) values.add(setting_text(*value));
  }
  return values;
}

/// A fact about host or software.
std::string text_of(const Json& facts, const char* key) {
  return facts.contains(key) ? setting_text(facts[key]) : "";
}

std::string fact(const std::string& name, const std::string& text) {
  return text.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), escape_html(text));
}

/// "source text, directions de-en, ..." from keys of one section; what has no value is left out.
std::string section_text(const ResultSet& results, const std::string& section, const std::vector<std::string>& keys) {
  std::vector<std::string> parts;
  for (const std::string& key : keys) {
    const std::string value = values_of(results, section + "." + key).joined();
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    if (!value.empty()) parts.push_back(name + " " + value);
  }
  return join(parts, ", ");
}

Distinct machines(const ResultSet& results) {
  Distinct machines;
  for (const RunResult& run : results.runs) {
    const Json& host = run.measurements.host;
    const std::string cpu = text_of(host, "cpu");
    if (cpu.empty()) continue;
    machines.add(fmt::format("{}; cores {}, threads {}, device {}", cpu, text_of(host, "cores"),
                             text_of(host, "threads"), text_of(host, "device")));
  }
  return machines;
}

Distinct versions(const ResultSet& results) {
  Distinct versions;
  for (const RunResult& run : results.runs) {
    const Json& software = run.measurements.software;
    const std::string version = text_of(software, "moe_bench");
    if (version.empty()) continue;
    versions.add(fmt::format("moe-bench {} ({}), LibTorch {}, {}", version, text_of(software, "revision"),
                             text_of(software, "libtorch"), text_of(software, "compiler")));
  }
  return versions;
}

std::string total_time(const ResultSet& results) {
  double seconds = 0;
  for (const RunResult& run : results.runs) {
    if (run.measurements.seconds) seconds += run.measurements.seconds->total;
  }
  if (seconds == 0) return "";
  return seconds < 5400 ? fmt::format("{:.0f} minutes", seconds / 60) : fmt::format("{:.1f} hours", seconds / 3600);
}

std::string counts_text(const ResultSet& results) {
  const auto finished =
      std::count_if(results.runs.begin(), results.runs.end(), [](const auto& run) { return run.finished(); });
  const auto failed = static_cast<std::int64_t>(results.runs.size()) - finished;
  std::string text = fmt::format("{} finished", finished);
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (results.unfinished > 0) text += fmt::format(", {} not finished yet", results.unfinished);
  return text;
}

/// Every setting that all runs share, folded away.
std::string shared_settings(const ResultSet& results) {
  std::string facts;
  if (results.runs.empty()) return facts;
  Json shared = Json::object();
  for (const RunResult& run : results.runs) shared.update(run.settings);
  for (const auto& [key, value] : shared.items()) {
    const bool varies = std::find(results.axes.begin(), results.axes.end(), key) != results.axes.end();
    if (!varies && !key.starts_with("strategy.")) facts += fact(key, setting_text(value));
  }
  return "<details><summary>All settings that the runs share</summary><dl class=\"facts\">" + facts +
         "</dl></details>\n";
}

std::string what_was_run(const ResultSet& results) {
  std::string axes;
  for (const std::string& axis : results.axes) axes += fact(axis, values_of(results, axis).joined());
  std::string html = "<section id=\"run\"><h2>What was run</h2><div class=\"card\"><dl class=\"facts\">\n";
  html += fact("Runs", counts_text(results));
  html += fact("Data", section_text(results, "data", {"source", "directions", "train", "valid", "test", "vocabulary"}));
  html += fact("Model", section_text(results, "model",
                                     {"preset", "encoder_layers", "decoder_layers", "width", "ffn", "heads",
                                      "moe_layers", "moe_every"}));
  html += fact("Training",
               section_text(results, "training", {"updates", "tokens_per_batch", "learning_rate", "precision"}));
  html += fact("Seeds", values_of(results, "training.seed").joined());
  html += fact("Machine", machines(results).joined());
  html += fact("Software", versions(results).joined());
  html += fact("Time of all runs", total_time(results));
  html += "</dl>\n";
  if (!axes.empty())
    html += "<details><summary>What differs between runs</summary><dl class=\"facts\">" + axes + "</dl></details>\n";
  return html + shared_settings(results) + "</div></section>\n";
}

std::string results_section(const ResultsTable& table) {
  const TextTable text = format_results(table);
  const StrategyStyles styles(table);
  std::string html = "<section id=\"results\"><h2>Results</h2><div class=\"card scroll\"><table><thead><tr>";
  const auto kind = [&](std::size_t column) { return text.numeric[column] ? " class=\"number\"" : ""; };
  for (std::size_t i = 0; i < text.header.size(); ++i) {
    html += fmt::format("<th{}>{}</th>", kind(i), escape_html(text.header[i]));
  }
  html += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < text.rows.size(); ++r) {
    html += "<tr>";
    for (std::size_t i = 0; i < text.header.size(); ++i) {
      const std::string swatch = i > 0 ? ""
                                       : fmt::format("<span class=\"swatch\" style=\"background:{}\"></span>",
                                                     styles.colour(table.rows[r].label));
      html += fmt::format("<td{}>{}{}</td>", kind(i), swatch, escape_html(text.rows[r][i]));
    }
    html += "</tr>\n";
  }
  html += "</tbody></table></div><div class=\"notes\">";
  for (const std::string& note : table_notes(table)) html += "<p>" + escape_html(note) + "</p>";
  return html + "</div></section>\n";
}

/// Gradients and clips are numbered from zero in every SVG; on one page each chart needs names of its own.
std::string with_own_ids(std::string svg, const std::string& name) {
  svg = replace_all(svg, " id=\"", " id=\"" + name + "-");
  svg = replace_all(svg, "url(#", "url(#" + name + "-");
  return replace_all(svg, "href=\"#", "href=\"#" + name + "-");
}

std::string charts_section(const std::vector<DrawnChart>& charts, const std::string& drawing_failure) {
  std::string html;
  if (!drawing_failure.empty()) html += "<p class=\"warning\">" + escape_html(drawing_failure) + "</p>\n";
  for (const DrawnChart& chart : charts) {
    if (chart.svg.empty()) continue;
    html += fmt::format(
        "<figure id=\"{0}\"><div class=\"card\">{1}</div><figcaption>{2} Files: <a href=\"charts/{0}.svg\">SVG</a>, "
        "<a href=\"charts/{0}.png\">PNG</a>, <a href=\"charts/{0}.vl.json\">Vega-Lite</a>.</figcaption></figure>\n",
        chart.name, with_own_ids(chart.svg, chart.name), escape_html(chart.caption));
  }
  return html.empty() ? "" : "<section id=\"charts\"><h2>Charts</h2>\n" + html + "</section>\n";
}

std::string failures_section(const ResultSet& results) {
  std::string items;
  for (const RunResult& run : results.runs) {
    if (run.finished()) continue;
    items +=
        fmt::format("<li><code>{}</code>: {}</li>\n", escape_html(run.run_id), escape_html(run.failure.value_or("")));
  }
  if (items.empty()) return "";
  return "<section id=\"failures\"><h2>Failed runs</h2><div class=\"card\"><ul class=\"failures\">\n" + items +
         "</ul></div></section>\n";
}

std::string warnings(const ResultSet& results) {
  std::string html;
  const auto warn = [&](const std::string& sentence) { html += "<p class=\"warning\">" + sentence + "</p>\n"; };
  if (results.runs.empty()) warn("No run has a result yet.");
  if (results.unfinished > 0) {
    warn(fmt::format("{} without a result {} left out.",
                     results.unfinished == 1 ? "A run" : fmt::format("{} runs", results.unfinished),
                     results.unfinished == 1 ? "is" : "are"));
  }
  if (results.repeated > 0) {
    warn(fmt::format("Results left out because another folder has the same run: {}.", results.repeated));
  }
  if (machines(results).size() > 1)
    warn("The runs were measured on different machines or settings: their speeds do not compare.");
  return html;
}

std::string navigation(const std::string& body) {
  std::string links;
  const auto link = [&](const char* id, const char* text) {
    if (body.find(fmt::format("<section id=\"{}\"", id)) != std::string::npos) {
      links += fmt::format("<a href=\"#{}\">{}</a>", id, text);
    }
  };
  link("run", "What was run");
  link("results", "Results");
  link("charts", "Charts");
  link("failures", "Failed runs");
  return "<nav>" + links + "</nav>";
}

}  // namespace

std::string report_mark(const ResultSet& results) {
  return fmt::format("<meta name=\"moe-bench\" content=\"{} {}\">\n", software_facts()["revision"].get<std::string>(),
                     digest_of(results));
}

std::string html_report(const ResultSet& results, const ResultsTable& table, const std::vector<DrawnChart>& charts,
                        const std::string& drawing_failure) {
  std::string body = what_was_run(results);
  if (!table.rows.empty()) body += results_section(table);
  body += charts_section(charts, drawing_failure) + failures_section(results);
  const std::string name = escape_html(results.name);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0} · moe-bench</title>\n"
      "{6}<style>{1}</style>\n</head>\n<body>\n<main>\n<header><h1>{0}</h1><p>Routing strategies compared by "
      "moe-bench. Runs: {2}. {3}</p>{4}</header>\n<section>{5}</section>\n{7}</main>\n</body>\n</html>\n",
      name, html_style, counts_text(results), escape_html(evidence_sentence(table)), navigation(body),
      warnings(results), report_mark(results), body);
}

}  // namespace moe
