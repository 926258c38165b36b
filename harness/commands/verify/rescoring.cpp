#include "harness/commands/verify/rescoring.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "harness/sweep/run_spec.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/statistics.h"
#include "metrics/word_accuracy.h"

#include <cmath>
#include <functional>
#include <iterator>

namespace moe {
namespace {

constexpr double largest_difference = 1e-9;

using Lines = std::vector<std::string>;

/// Scores of one model, with where they stand.
class ScoreComparison {
 public:
  ScoreComparison(const ResultInFolder& result, std::string path, const Lines& reference, RunFindings& findings)
      : result_(result), path_(std::move(path)), references_{reference}, findings_(findings) {}

  void compare(const ModelScores& scores) {
    const std::vector<Lines> draws = read_draws(scores);
    if (draws.size() != scores.hypotheses.size()) return;
    compare(scores.bleu, "bleu", draws, [&](const Lines& lines) { return corpus_bleu(lines, references_).score; });
    compare(scores.chrf, "chrf", draws, [&](const Lines& lines) { return corpus_chrf(lines, references_).score; });
    findings_.rescored += std::ssize(draws);
  }

  void compare_word_accuracy(const ModelScores& score, double stored) {
    const std::vector<Lines> draws = read_draws(score);
    if (draws.size() != score.hypotheses.size() || draws.empty()) return;
    std::vector<double> values;
    for (const Lines& lines : draws) values.push_back(word_accuracy(lines, references_.front()));
    expect(".word_accuracy", stored, mean(values));
  }

 private:
  void problem(const std::string& key, const std::string& sentence) {
    findings_.problem(fmt::format("{}: {}{}{}", result_.file.string(), path_, key, sentence));
  }

  /// The translations of every draw that can be scored; the others are problems.
  std::vector<Lines> read_draws(const ModelScores& scores) {
    std::vector<Lines> draws;
    for (std::size_t i = 0; i < scores.hypotheses.size(); ++i) {
      const std::string key = fmt::format(".hypotheses[{}]", i);
      try {
        Lines lines = read_translations(result_.folder / scores.hypotheses[i]);
        if (lines.size() == references_.front().size()) {
          draws.push_back(std::move(lines));
        } else {
          problem(key, fmt::format(": {} has {} lines, but the reference has {}.", scores.hypotheses[i], lines.size(),
                                   references_.front().size()));
        }
      } catch (const Error& error) {
        problem(key, fmt::format(": {}", error.what()));
      }
    }
    return draws;
  }

  void compare(const MetricScore& stored, const std::string& metric, const std::vector<Lines>& draws,
               const std::function<double(const Lines&)>& score) {
    if (stored.draws.size() != draws.size()) {
      problem("." + metric + ".draws",
              fmt::format(" has {} scores for {} files of translations.", stored.draws.size(), draws.size()));
      return;
    }
    std::vector<double> scores;
    for (std::size_t i = 0; i < draws.size(); ++i) {
      scores.push_back(score(draws[i]));
      expect(fmt::format(".{}.draws[{}]", metric, i), stored.draws[i], scores.back());
    }
    if (scores.empty()) return;
    expect("." + metric + ".score", stored.score, mean(scores));
    expect("." + metric + ".standard_deviation", stored.standard_deviation, sample_deviation(scores).value_or(0));
  }

  void expect(const std::string& key, double stored, double again) {
    if (std::abs(stored - again) <= largest_difference) return;
    problem(key, fmt::format(" is {}, but the translations give {}.", stored, again));
  }

  const ResultInFolder& result_;
  std::string path_;
  References references_;
  RunFindings& findings_;
};

std::int64_t files_of(const TestScore& score) {
  return std::ssize(score.hypotheses) + (score.last_model ? std::ssize(score.last_model->hypotheses) : 0);
}

void rescore(const ResultInFolder& result, std::size_t index, const Lines& reference, bool words_at_their_place,
             RunFindings& findings) {
  const TestScore& score = result.record.scores[index];
  const std::string path = fmt::format("scores[{}]", index);
  if (score.sentences != std::ssize(reference)) {
    findings.problem(fmt::format("{}: {}.sentences is {}, but the reference has {} lines.", result.file.string(), path,
                                 score.sentences, reference.size()));
  }
  ScoreComparison comparison(result, path, reference, findings);
  comparison.compare(score);
  if (score.word_accuracy && words_at_their_place) {
    comparison.compare_word_accuracy(score, *score.word_accuracy);
  }
  if (score.last_model) ScoreComparison(result, path + ".last_model", reference, findings).compare(*score.last_model);
}

/// The data that a run was scored on; null, with the reason among the notes or problems, where they are not to be had.
const Corpus* find_corpus(const ResultInFolder& result, ReferenceTexts& references, RunFindings& findings) {
  const LoadedData& data = references.load(result.record.config.value("data", Json::object()));
  if (!data.corpus) {
    findings.notes.push_back("scores only read: " + data.missing);
    return nullptr;
  }
  // Another version may have made other digests of the same text; the scores themselves then tell.
  if (result.record.semantics_version != semantics_version || data.digest == result.record.data_digest) {
    return &*data.corpus;
  }
  findings.problem(fmt::format("{}: data_digest is {}, but the data there now have {}; scores only read.",
                               result.file.string(), result.record.data_digest, data.digest));
  return nullptr;
}

void check_imported(const ResultInFolder& result, ReferenceTexts& references, RunFindings& findings) {
  const auto& origin = result.record.imported_from;
  const Lines* reference = origin ? references.find(origin->reference) : nullptr;
  if (reference == nullptr)
    findings.notes.emplace_back("scores only read: imported, and the data have no such reference.");
  for (std::size_t i = 0; i < result.record.scores.size(); ++i) {
    if (reference != nullptr) {
      rescore(result, i, *reference, false, findings);
    } else {
      findings.only_read += files_of(result.record.scores[i]);
    }
  }
}

}  // namespace

Lines read_translations(const std::filesystem::path& file) {
  std::string text = read_file(file);
  if (text.ends_with('\n')) text.pop_back();
  return split(text, '\n');
}

void check_scores(const ResultInFolder& result, ReferenceTexts& references, RunFindings& findings) {
  if (result.record.scores.empty()) return;
  if (result.record.imported()) {
    check_imported(result, references, findings);
    return;
  }
  const Corpus* corpus = find_corpus(result, references, findings);
  for (std::size_t i = 0; i < result.record.scores.size(); ++i) {
    const TestScore& score = result.record.scores[i];
    const ParallelText* text = corpus == nullptr ? nullptr : find_test_set(*corpus, score.set, score.direction);
    if (text != nullptr) {
      rescore(result, i, text->target, !text->label.empty(), findings);
      continue;
    }
    findings.only_read += files_of(score);
    if (corpus == nullptr) continue;
    findings.problem(fmt::format("{}: scores[{}]: the data have no test set \"{}\" from {}.", result.file.string(), i,
                                 score.set, score.direction));
  }
}

}  // namespace moe
