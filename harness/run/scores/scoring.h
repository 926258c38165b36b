#pragma once
// Scores of a model on a set: loss, translations, BLEU, chrF, over the draws of its evaluation.

#include "harness/results/record.h"
#include "harness/run/run_data.h"
#include "harness/sweep/run_spec.h"
#include "model/transformer.h"
#include "parallel/execution_context.h"
#include "training/evaluation.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// Translations of a set, [direction][line].
using Translations = std::vector<std::vector<std::string>>;

/// Scores on one set.
struct SetScores {
  std::vector<SetLoss> losses;             ///< per draw
  std::vector<Translations> translations;  ///< per draw
  std::vector<std::vector<double>> bleu;   ///< [direction][draw]
  std::vector<std::vector<double>> chrf;   ///< [direction][draw]
  std::int64_t sentences = 0;              ///< translated, over all draws
  std::vector<std::int64_t> cut;           ///< [direction] translations cut at the length limit, over all draws
  double translation_seconds = 0;
  /// Per draw, at temperature 1 and at that of the calibration; empty where add_sentence_losses was not called.
  std::vector<SentenceLosses> sentence_losses;

  double mean_loss() const;
  double mean_loss(std::size_t direction) const;
  double mean_bleu() const;  ///< over directions and draws
  double cut_share(std::size_t direction) const;
  /// What to tell the user of the translations that were cut; empty when none was.
  std::string cut_note(const std::string& set) const;
};

/// Evaluates the model on an encoded set whose text is `text`.
SetScores score_set(Transformer& model, const RunSpec& spec, const RunData& data, const EncodedSet& set,
                    const TextSet& text, std::int64_t beam, ExecutionContext where);

/// Adds the losses of each sentence, at temperature 1 and at this one.
void add_sentence_losses(Transformer& model, const RunSpec& spec, const EncodedSet& set, double temperature,
                         ExecutionContext where, SetScores& scores);

/// The record's `scores` for one test set. The translations, and what each sentence adds to the scores, are written to
/// files below `run_folder`, whose names the record has. `last`, where there is one, has the scores of the last weights
/// when `scores` are those of a mean; they stand in `last_model` of each entry.
std::vector<TestScore> test_score_entries(const SetScores& scores, const SetScores* last, const RunData& data,
                                          const TextSet& text, const std::filesystem::path& run_folder);

/// Temperature and loss of a model on the validation set.
CalibrationRecord calibrate(Transformer& model, const RunSpec& spec, const EncodedSet& valid, ExecutionContext where);

/// What other choices of experts cost the model on the validation set, in the order shuffled, second_best, random;
/// those that mean nothing for its router are left out.
std::vector<SwapRecord> routing_swaps(Transformer& model, const RunSpec& spec, const EncodedSet& valid,
                                      ExecutionContext where);

}  // namespace moe
