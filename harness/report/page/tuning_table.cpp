#include "harness/report/page/tuning_table.h"

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "harness/results/tuning_record.h"
#include "harness/sweep/setting_names.h"
#include "metrics/table.h"

#include <algorithm>
#include <set>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// "learning rate 0.003, dropout 0.1"
std::string set_text(const Json& set) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : set.items()) {
    parts.push_back(replace_all(key.substr(key.rfind('.') + 1), "_", " ") + " " + setting_text(value));
  }
  return join(parts, ", ");
}

/// What is said of a trial whose setting was chosen; empty of the others. Strategies of several objectives share a name
/// or not; strategy and setting together tell a choice.
std::string choice_text(const TuningRecord& tuning, const TuningTrial& trial) {
  const auto choice = std::find_if(tuning.best.begin(), tuning.best.end(), [&](const TuningChoice& best) {
    return best.strategy == trial.strategy && best.set == trial.set;
  });
  if (choice == tuning.best.end()) return "";
  Json at_ends = Json::object();
  for (const std::string& key : keys_at_an_end(tuning, *choice)) at_ends[key] = choice->set.at(key);
  return at_ends.empty() ? "chosen" : "chosen; at an end of what was tried: " + set_text(at_ends);
}

Tuning table_of(const TuningRecord& record) {
  const MetricEntry& metric = find_metric(record.metric);
  Tuning tuning{.name = record.name,
                .trials = {{"strategy", "setting", "seed", "validation " + metric.title, "chosen"},
                           {false, false, true, true, false},
                           {}},
                .notes = {"Every strategy tried the same settings, on the validation set and with seeds that no run of "
                          "the sweep has. Beyond an end of what was tried a better setting may lie."}};
  const int decimals = metric.unit.empty() ? 1 : 3;
  for (const TuningTrial& trial : record.trials) {
    const std::optional<double>& score = tuning_score(trial, record.metric);
    tuning.trials.rows.push_back(
        {trial.strategy + (trial.undertrained ? " †" : ""), set_text(trial.set), fmt::format("{}", trial.seed),
         score ? fmt::format("{:.{}f}", *score, decimals) : "failed", choice_text(record, trial)});
    if (!trial.failure.empty()) tuning.notes.push_back(fmt::format("{}: {}", trial.run_id, trial.failure));
  }
  const bool open = std::any_of(record.trials.begin(), record.trials.end(),
                                [](const TuningTrial& trial) { return trial.undertrained; });
  if (open) tuning.notes.emplace_back("†: undertrained: with more updates another setting might be the best.");
  return tuning;
}

}  // namespace

std::vector<Tuning> read_tunings(const ResultSet& results) {
  std::set<fs::path> folders;  // of FOLDER/runs/RUN_ID/result.json
  for (const RunResult& run : results.runs) folders.insert(run.file.parent_path().parent_path().parent_path());
  std::vector<Tuning> tunings;
  for (const fs::path& folder : folders) {
    for (const fs::path& file : {folder / "tuning.json", folder / "tuning" / "tuning.json"}) {
      if (!fs::exists(file)) continue;
      try {
        tunings.push_back(table_of(read_tuning(file)));
      } catch (const std::exception& error) {
        tunings.push_back({.name = file.filename().string(),
                           .trials = {},
                           .notes = {fmt::format("{} cannot be read: {}", file.string(), error.what())}});
      }
    }
  }
  return tunings;
}

}  // namespace moe
