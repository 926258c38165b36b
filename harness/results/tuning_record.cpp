#include "harness/results/tuning_record.h"

#include "core/files.h"

#include <algorithm>

namespace moe {
namespace {

template <class Scored>
void visit_scores(RecordVisitor& visitor, Scored& scored) {
  visitor.field({.key = "bleu", .presence = Presence::if_any}, scored.bleu);
  visitor.field({.key = "loss", .help = "nats per target token", .presence = Presence::if_any}, scored.loss);
}

}  // namespace

void TuningTrial::visit(RecordVisitor& visitor) {
  visitor.field({.key = "strategy", .filled = true}, strategy);
  visitor.field({.key = "set", .help = "dotted key to value"}, set);
  visitor.field({.key = "seed", .minimum = 0}, seed);
  visitor.field({.key = "run_id", .filled = true}, run_id);
  visit_scores(visitor, *this);
  visitor.field({.key = "undertrained"}, undertrained);
  visitor.field({.key = "failure", .presence = Presence::if_any}, failure);
}

void TuningChoice::visit(RecordVisitor& visitor) {
  visitor.field({.key = "strategy", .filled = true}, strategy);
  visitor.field({.key = "where", .help = "conditions that only its runs meet"}, where);
  visitor.field({.key = "set", .help = "dotted key to value"}, set);
  visit_scores(visitor, *this);
}

void TuningRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "schema_version"}, schema_version);
  visitor.field({.key = "name"}, name);
  visitor.field({.key = "metric", .choices = {"bleu", "loss"}}, metric);
  visitor.field({.key = "set", .help = "validation set"}, set);
  visitor.field({.key = "best"}, best);
  visitor.field({.key = "trials"}, trials);
}

std::vector<std::string> keys_at_an_end(const TuningRecord& tuning, const TuningChoice& choice) {
  std::vector<std::string> keys;
  for (const auto& [key, chosen] : choice.set.items()) {
    std::vector<Json> tried;  // in the order of the grid
    for (const TuningTrial& trial : tuning.trials) {
      const Json value = trial.set.value(key, Json());
      if (std::find(tried.begin(), tried.end(), value) == tried.end()) tried.push_back(value);
    }
    if (tried.size() > 1 && (chosen == tried.front() || chosen == tried.back())) keys.push_back(key);
  }
  return keys;
}

std::size_t undertrained_trials(const TuningRecord& tuning, const TuningChoice& choice) {
  return static_cast<std::size_t>(std::count_if(tuning.trials.begin(), tuning.trials.end(), [&](const auto& trial) {
    return trial.strategy == choice.strategy && trial.undertrained;
  }));
}

void write_tuning(const std::filesystem::path& file, const TuningRecord& tuning) {
  write_file(file, format_json(write_record(tuning)));
}

TuningRecord read_tuning(const std::filesystem::path& file) {
  const Json json = read_json(file);
  return read_record<TuningRecord>({json, file.string()});
}

}  // namespace moe
