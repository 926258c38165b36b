#include "harness/report/page/html_facts.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/report/citation.h"
#include "harness/report/page/html_parts.h"
#include "harness/report/page/tuning_table.h"
#include "harness/results/machine_text.h"
#include "harness/sweep/setting_names.h"
#include "metrics/table.h"

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
    if (const std::string machine = machine_text(run.measurements.host); !machine.empty()) machines.add(machine);
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

/// Every setting that all runs share, folded away.
std::string shared_settings(const ResultSet& results) {
  std::string facts;
  if (results.runs.empty()) return facts;
  Json shared = Json::object();
  for (const RunResult& run : results.runs) shared.update(run.settings);
  for (const auto& [key, value] : shared.items()) {
    const bool varies = std::find(results.axes.begin(), results.axes.end(), key) != results.axes.end();
    if (!varies && !key.starts_with("strategy.")) facts += html_fact(key, setting_text(value));
  }
  return html_details("All settings that the runs share", "<dl class=\"facts\">" + facts + "</dl>");
}

/// The definitions that scores of translations have, as sacreBLEU prints them.
std::string signatures(const ResultSet& results) {
  std::string facts;
  for (const TranslationScore& kind : translation_scores()) {
    Distinct signatures;
    for (const RunResult& run : results.runs) {
      for (const TestScore& test : run.scores) {
        if (const MetricScore* score = kind.of(test)) signatures.add(score->signature);
      }
    }
    facts += html_fact(find_metric(kind.metric).title, signatures.joined());
  }
  return facts;
}

std::string axes_details(const ResultSet& results) {
  std::string axes;
  for (const std::string& axis : results.axes) axes += html_fact(axis, values_of(results, axis).joined());
  return axes.empty() ? "" : html_details("What differs between runs", "<dl class=\"facts\">" + axes + "</dl>");
}

std::string tuning_details(const ResultSet& results) {
  std::string html;
  for (const Tuning& tuning : read_tunings(results)) {
    html += html_details(fmt::format("Tuning of {}: {} trials", tuning.name, tuning.trials.rows.size()),
                         html_table(tuning.trials, "Tuning of " + tuning.name) + html_notes(tuning.notes));
  }
  return html;
}

}  // namespace

std::string counts_text(const ResultSet& results) {
  const auto count = [&](bool (RunRecord::*has_status)() const) {
    return std::count_if(results.runs.begin(), results.runs.end(),
                         [&](const auto& run) { return (run.*has_status)(); });
  };
  std::string text = fmt::format("{} finished", count(&RunRecord::finished));
  if (const auto failed = count(&RunRecord::failed)) text += fmt::format(", {} failed", failed);
  if (const auto imported = count(&RunRecord::imported)) text += fmt::format(", {} imported", imported);
  if (results.missing() > 0) text += fmt::format(", {} not finished yet", results.missing());
  return text;
}

std::size_t machine_count(const ResultSet& results) {
  return machines(results).size();
}

std::string how_section(const ResultSet& results) {
  std::string html = "<section id=\"run\"><h2>How each number was made</h2><div class=\"card\"><dl class=\"facts\">\n";
  html += html_fact("Runs", counts_text(results));
  html += html_fact("Data",
                    section_text(results, "data", {"source", "directions", "train", "valid", "test", "vocabulary"}));
  html += html_fact("Model", section_text(results, "model",
                                          {"preset", "encoder_layers", "decoder_layers", "width", "ffn", "heads",
                                           "moe_layers", "moe_every"}));
  html += html_fact("Training",
                    section_text(results, "training", {"updates", "tokens_per_batch", "learning_rate", "precision"}));
  html += html_fact("Seeds", values_of(results, "training.seed").joined());
  html += signatures(results);
  html += html_fact("Machine", machines(results).joined());
  html += html_fact("Software", versions(results).joined());
  html += html_fact("Time of all runs", total_time(results));
  html += "</dl>\n" + axes_details(results) + shared_settings(results) + tuning_details(results);
  html += html_details("How to cite", "<pre tabindex=\"0\">" + escape_html(bibtex_entry()) + "</pre>");
  return html + "</div></section>\n";
}

}  // namespace moe
