#pragma once
// What `moe-bench tune` found: tuning.json.

#include "harness/results/record_visitor.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// One setting of one strategy with one seed, on the validation set over its directions.
struct TuningTrial {
  std::string strategy;  ///< label
  Json set;              ///< dotted key to value
  std::int64_t seed = 0;
  std::string run_id;
  std::optional<double> bleu = {}, loss = {};  ///< none of a trial that failed
  bool undertrained = false;
  std::string failure = {};  ///< why it has no scores

  void visit(RecordVisitor& visitor);
};

/// The best setting of one strategy, with the mean of its scores over seeds.
struct TuningChoice {
  std::string strategy;
  Json where;  ///< conditions that only runs of this strategy and objective meet
  Json set;
  std::optional<double> bleu = {}, loss = {};  ///< whichever was compared

  void visit(RecordVisitor& visitor);
};

struct TuningRecord {
  std::int64_t schema_version = 1;
  std::string name;    ///< of the sweep
  std::string metric;  ///< what was compared: "bleu" or "loss"
  std::string set;     ///< validation set
  std::vector<TuningChoice> best = {};
  std::vector<TuningTrial> trials = {};

  void visit(RecordVisitor& visitor);
};

/// The score of a trial or a choice by which trials are compared.
template <class Scored>
auto& tuning_score(Scored& scored, const std::string& metric) {
  return metric == "loss" ? scored.loss : scored.bleu;
}

/// Keys of the choice whose value is the first or last of at least two that were tried: a better one may lie beyond.
std::vector<std::string> keys_at_an_end(const TuningRecord& tuning, const TuningChoice& choice);

/// How many of the trials of the choice's strategy are undertrained: more updates might choose otherwise.
std::size_t undertrained_trials(const TuningRecord& tuning, const TuningChoice& choice);

void write_tuning(const std::filesystem::path& file, const TuningRecord& tuning);

/// Throws (request_wrong) for a file that write_tuning would not have written.
TuningRecord read_tuning(const std::filesystem::path& file);

}  // namespace moe
