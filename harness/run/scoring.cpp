#include "harness/run/scoring.h"

#include "core/stopwatch.h"
#include "decoding/beam_search.h"
#include "harness/run/build_model.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/statistics.h"
#include "metrics/table.h"
#include "metrics/word_accuracy.h"

#include <torch/types.h>

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace moe {
namespace {

Translations decode_translations(const std::vector<Translation>& translations, const EncodedSet& set,
                                 const RunData& data) {
  Translations lines(data.corpus.directions.size());
  for (std::size_t i = 0; i < translations.size(); ++i) {
    lines[static_cast<std::size_t>(set[i].direction)].push_back(data.tokenizer.decode(translations[i].ids));
  }
  return lines;
}

/// Over the draws, of one direction.
double mean_word_accuracy(const std::vector<Translations>& draws, std::size_t direction,
                          const std::vector<std::string>& references) {
  std::vector<double> values;
  for (const Translations& translations : draws) values.push_back(word_accuracy(translations[direction], references));
  return mean(values);
}

MetricScore metric_score(const std::vector<double>& draws, const char* metric) {
  return {mean(draws), sample_deviation(draws).value_or(0.0), draws, find_metric(metric).signature};
}

/// Scores of one model in one direction, whose translations go to files that start with `base`.
ModelScores model_scores(const SetScores& scores, std::size_t direction, const std::string& base,
                         const WriteLines& write) {
  ModelScores result;
  for (std::size_t draw = 0; draw < scores.translations.size(); ++draw) {
    const std::string name = draw == 0 ? base + ".txt" : fmt::format("{}.draw{}.txt", base, draw);
    write(name, scores.translations[draw][direction]);
    result.hypotheses.push_back(name);
  }
  const double loss = scores.mean_loss(direction);
  result.loss = loss;
  result.perplexity = std::exp(loss);
  result.bleu = metric_score(scores.bleu[direction], "bleu");
  result.chrf = metric_score(scores.chrf[direction], "chrf");
  result.cut_share = scores.cut_share(direction);
  return result;
}

}  // namespace

double SetScores::mean_loss() const {
  std::vector<double> values;
  for (const SetLoss& loss : losses) values.push_back(loss.per_token());
  return mean(values);
}

double SetScores::mean_loss(std::size_t direction) const {
  std::vector<double> values;
  for (const SetLoss& loss : losses) values.push_back(loss.per_token(direction));
  return mean(values);
}

double SetScores::mean_bleu() const {
  std::vector<double> values;
  for (const auto& draws : bleu) values.push_back(mean(draws));
  return mean(values);
}

double SetScores::cut_share(std::size_t direction) const {
  const std::size_t lines = translations.size() * translations.front()[direction].size();
  return static_cast<double>(cut[direction]) / static_cast<double>(lines);
}

std::string SetScores::cut_note(const std::string& set) const {
  const auto all = std::accumulate(cut.begin(), cut.end(), std::int64_t{0});
  if (all == 0) return "";
  return fmt::format(
      "{} of {} translations of {} reached the length limit and were cut; evaluation.max_length_ratio and "
      "evaluation.max_length_constant raise it",
      all, sentences, set);
}

SetScores score_set(Transformer& model, const RunSpec& spec, const RunData& data, const EncodedSet& set,
                    const TextSet& text, std::int64_t beam, torch::Device device) {
  const auto directions = data.corpus.directions.size();
  SetScores scores;
  scores.bleu.resize(directions);
  scores.chrf.resize(directions);
  scores.cut.resize(directions);
  for (std::int64_t draw = 0; draw < evaluation_draws(spec); ++draw) {
    scores.losses.push_back(
        evaluate_set(model, set, static_cast<std::int64_t>(directions), spec.training.tokens_per_batch, draw, device));
    const Stopwatch stopwatch;
    const BeamOptions options{beam,
                              spec.evaluation.length_penalty,
                              draw,
                              spec.training.tokens_per_batch,
                              spec.evaluation.max_length_ratio,
                              spec.evaluation.max_length_constant};
    const std::vector<Translation> translations = translate(model, set, options, device);
    for (std::size_t i = 0; i < set.size(); ++i) {
      scores.cut[static_cast<std::size_t>(set[i].direction)] += translations[i].cut ? 1 : 0;
    }
    scores.translations.push_back(decode_translations(translations, set, data));
    scores.translation_seconds += stopwatch.seconds();
    scores.sentences += static_cast<std::int64_t>(set.size());
    for (std::size_t d = 0; d < directions; ++d) {
      const References references = {text.directions[d].target};
      scores.bleu[d].push_back(corpus_bleu(scores.translations.back()[d], references).score);
      scores.chrf[d].push_back(corpus_chrf(scores.translations.back()[d], references).score);
    }
  }
  return scores;
}

std::vector<TestScore> test_score_entries(const SetScores& scores, const SetScores* last, const RunData& data,
                                          const TextSet& text, const WriteLines& write) {
  std::vector<TestScore> entries;
  for (std::size_t d = 0; d < data.corpus.directions.size(); ++d) {
    const std::string file = data.corpus.directions[d].name + "." + text.name;
    TestScore entry;
    static_cast<ModelScores&>(entry) = model_scores(scores, d, "hypotheses/" + file, write);
    entry.set = text.name;
    entry.direction = data.corpus.directions[d].name;
    entry.sentences = std::ssize(text.directions[d].source);
    if (!text.directions[d].label.empty()) {
      entry.word_accuracy = mean_word_accuracy(scores.translations, d, text.directions[d].target);
    }
    if (last) entry.last_model = model_scores(*last, d, "hypotheses/last_model/" + file, write);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace moe
