#include "harness/commands/verify/sentence_sums.h"

#include "core/error.h"
#include "harness/results/sentence_scores.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/comparison/significance.h"
#include "metrics/statistics.h"

#include <cmath>

namespace moe {
namespace {

constexpr double score_accuracy = 1e-9;
constexpr double loss_accuracy = 1e-4;  ///< of float32 sums in another order, as a share

/// What one file adds up to.
struct Sums {
  double bleu = 0;
  double chrf = 0;
  double loss = 0;
  double calibrated_loss = 0;
};

Sums sums_of(const std::vector<SentenceScore>& sentences) {
  SystemSummands bleu, chrf;
  double nats = 0, calibrated = 0, tokens = 0;
  for (const SentenceScore& sentence : sentences) {
    bleu.push_back(sentence.bleu);
    chrf.push_back(sentence.chrf);
    nats += sentence.nats;
    calibrated += sentence.calibrated_nats;
    tokens += static_cast<double>(sentence.tokens);
  }
  return {score_bleu(BleuStatistics::of(sum_of(bleu)), {}).score,
          score_chrf(chrf_statistics_of(sum_of(chrf)), ChrfOptions{}.beta), nats / tokens, calibrated / tokens};
}

/// The scores of one test set beside the sums of its files.
class SumComparison {
 public:
  SumComparison(const ResultInFolder& result, std::size_t index, RunFindings& findings)
      : result_(result), index_(index), findings_(findings) {}

  void compare(const TestScore& score) {
    std::vector<double> losses, calibrated;
    for (std::size_t draw = 0; draw < score.sentence_scores.size(); ++draw) {
      const std::vector<SentenceScore> sentences = read_sentence_scores(result_.folder / score.sentence_scores[draw]);
      if (std::ssize(sentences) != score.sentences || draw >= score.bleu.draws.size()) {
        problem(fmt::format("sentence_scores[{}]: {} lines for {} sentences and {} draws.", draw, sentences.size(),
                            score.sentences, score.bleu.draws.size()));
        return;
      }
      const Sums sums = sums_of(sentences);
      expect(fmt::format("bleu.draws[{}]", draw), score.bleu.draws[draw], sums.bleu, score_accuracy);
      expect(fmt::format("chrf.draws[{}]", draw), score.chrf.draws[draw], sums.chrf, score_accuracy);
      losses.push_back(sums.loss);
      calibrated.push_back(sums.calibrated_loss);
      ++findings_.summed;
    }
    if (losses.empty()) return;
    if (score.loss) expect("loss", *score.loss, mean(losses), loss_accuracy * mean(losses));
    if (score.calibrated_loss) {
      expect("calibrated_loss", *score.calibrated_loss, mean(calibrated), loss_accuracy * mean(calibrated));
    }
  }

 private:
  void problem(const std::string& sentence) {
    findings_.problem(fmt::format("{}: scores[{}].{}", result_.file.string(), index_, sentence));
  }
  void expect(const std::string& key, double stored, double sum, double accuracy) {
    if (std::abs(stored - sum) <= accuracy) return;
    problem(fmt::format("{} is {}, but its sentences add up to {}.", key, stored, sum));
  }

  const ResultInFolder& result_;
  std::size_t index_;
  RunFindings& findings_;
};

}  // namespace

void check_sentence_sums(const ResultInFolder& result, RunFindings& findings) {
  for (std::size_t i = 0; i < result.record.scores.size(); ++i) {
    try {
      SumComparison(result, i, findings).compare(result.record.scores[i]);
    } catch (const Error& error) {
      findings.problem(fmt::format("{}: scores[{}].sentence_scores: {}", result.file.string(), i, error.what()));
    }
  }
}

}  // namespace moe
