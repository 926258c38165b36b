#include "harness/report/page/tuning_table.h"

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
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

/// Strategies of several objectives share a name or not; strategy and setting together tell a choice.
bool is_chosen(const Json& trial, const Json& best) {
  return std::any_of(best.begin(), best.end(), [&](const Json& choice) {
    return choice.at("strategy") == trial.at("strategy") && choice.at("set") == trial.at("set");
  });
}

Tuning tuning_of(const Json& json) {
  const MetricEntry& metric = find_metric(json.at("metric").get<std::string>());
  Tuning tuning{.name = json.at("name").get<std::string>(),
                .trials = {{"strategy", "setting", "seed", "validation " + metric.title, "chosen"},
                           {false, false, true, true, false},
                           {}},
                .notes = {"Every strategy tried the same settings, on the validation set and with seeds that no run of "
                          "the sweep has. †: undertrained."}};
  const int decimals = metric.unit.empty() ? 1 : 3;
  for (const Json& trial : json.at("trials")) {
    const std::string mark = trial.at("undertrained").get<bool>() ? " †" : "";
    tuning.trials.rows.push_back({trial.at("strategy").get<std::string>() + mark, set_text(trial.at("set")),
                                  setting_text(trial.at("seed")),
                                  fmt::format("{:.{}f}", trial.at(metric.name).get<double>(), decimals),
                                  is_chosen(trial, json.at("best")) ? "chosen" : ""});
  }
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
        tunings.push_back(tuning_of(read_json(file)));
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
