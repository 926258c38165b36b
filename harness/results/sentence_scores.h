#pragma once
// What each sentence of a test set adds to a run's scores: one CSV file for each draw of the evaluation. Tests over
// sentences need nothing else, neither the data nor the model.

#include "metrics/sacrebleu.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace moe {

/// One line of the file.
struct SentenceScore {
  double nats = 0;             ///< -log p of its target tokens
  double calibrated_nats = 0;  ///< the same at CalibrationRecord::temperature
  std::int64_t tokens = 0;     ///< number of target tokens, the end counted
  Summands bleu;               ///< as BleuStatistics::summands gives them
  Summands chrf;               ///< as summands_of(ChrfStatistics) gives them
};

/// "nats,calibrated_nats,tokens,bleu..,chrf..": a header and a line for each sentence, nats with six decimals.
void write_sentence_scores(const std::filesystem::path& file, const std::vector<SentenceScore>& sentences);

/// Throws (request_wrong) naming file and line for what write_sentence_scores would not have written.
std::vector<SentenceScore> read_sentence_scores(const std::filesystem::path& file);

}  // namespace moe
