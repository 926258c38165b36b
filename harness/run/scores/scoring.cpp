#include "harness/run/scores/scoring.h"

#include "core/files.h"
#include "core/stopwatch.h"
#include "core/text.h"
#include "decoding/beam_search.h"
#include "harness/results/sentence_scores.h"
#include "harness/run/build_model.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/statistics.h"
#include "metrics/table.h"
#include "metrics/word_accuracy.h"

#include <torch/types.h>

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>
#include <utility>

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

/// "hypotheses/de-en.test.txt" of the first draw, then "hypotheses/de-en.test.draw1.txt".
std::string draw_file(const std::string& folder, const std::string& base, std::size_t draw, const char* ending) {
  return draw == 0 ? fmt::format("{}/{}.{}", folder, base, ending)
                   : fmt::format("{}/{}.draw{}.{}", folder, base, draw, ending);
}

/// Where a direction's scores go.
struct ScoreFiles {
  std::filesystem::path run_folder;
  std::string hypotheses;  ///< folder of translations
  std::string base;        ///< how the files start, "de-en.test"
};

/// Scores of one model in one direction, whose translations are written.
ModelScores model_scores(const SetScores& scores, std::size_t direction, const ScoreFiles& files) {
  ModelScores result;
  for (std::size_t draw = 0; draw < scores.translations.size(); ++draw) {
    const std::string name = draw_file(files.hypotheses, files.base, draw, "txt");
    write_file(files.run_folder / name, join(scores.translations[draw][direction], "\n") + "\n");
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

/// Sentences of all directions before this one: sentences are counted through.
std::size_t first_sentence(const TextSet& text, std::size_t direction) {
  std::size_t first = 0;
  for (std::size_t d = 0; d < direction; ++d) first += text.directions[d].source.size();
  return first;
}

/// Writes what each sentence of a direction adds, and returns the loss at the temperature of the calibration.
double write_sentences(const SetScores& scores, std::size_t direction, const TextSet& text, const ScoreFiles& files,
                       std::vector<std::string>& names) {
  const std::vector<std::string>& references = text.directions[direction].target;
  const std::size_t first = first_sentence(text, direction);
  std::vector<double> calibrated;
  for (std::size_t draw = 0; draw < scores.sentence_losses.size(); ++draw) {
    const SentenceLosses& losses = scores.sentence_losses[draw];
    std::vector<SentenceScore> sentences;
    double nats = 0;
    std::int64_t tokens = 0;
    for (std::size_t i = 0; i < references.size(); ++i) {
      const std::string& hypothesis = scores.translations[draw][direction][i];
      sentences.push_back({losses.nats[0][first + i], losses.nats[1][first + i], losses.tokens[first + i],
                           bleu_statistics(hypothesis, {references[i]}, {}).summands(),
                           summands_of(chrf_statistics(hypothesis, {references[i]}, {}))});
      nats += sentences.back().calibrated_nats;
      tokens += sentences.back().tokens;
    }
    calibrated.push_back(nats / static_cast<double>(tokens));
    names.push_back(draw_file("sentences", files.base, draw, "csv"));
    write_sentence_scores(files.run_folder / names.back(), sentences);
  }
  return mean(calibrated);
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
                    const TextSet& text, std::int64_t beam, ExecutionContext where) {
  const auto directions = data.corpus.directions.size();
  SetScores scores;
  scores.bleu.resize(directions);
  scores.chrf.resize(directions);
  scores.cut.resize(directions);
  for (std::int64_t draw = 0; draw < evaluation_draws(spec); ++draw) {
    scores.losses.push_back(
        evaluate_set(model, set, static_cast<std::int64_t>(directions), spec.training.tokens_per_batch, draw, where));
    const Stopwatch stopwatch;
    BeamOptions options = beam_options(spec.evaluation, spec.training.tokens_per_batch);
    options.beam = beam;
    options.draw = draw;
    const std::vector<Translation> translations = translate(model, set, options, where);
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

void add_sentence_losses(Transformer& model, const RunSpec& spec, const EncodedSet& set, double temperature,
                         ExecutionContext where, SetScores& scores) {
  for (std::int64_t draw = 0; draw < std::ssize(scores.translations); ++draw) {
    scores.sentence_losses.push_back(
        sentence_losses(model, set, spec.training.tokens_per_batch, draw, {1.0, temperature}, where));
  }
}

std::vector<TestScore> test_score_entries(const SetScores& scores, const SetScores* last, const RunData& data,
                                          const TextSet& text, const std::filesystem::path& run_folder) {
  std::vector<TestScore> entries;
  for (std::size_t d = 0; d < data.corpus.directions.size(); ++d) {
    const std::string base = data.corpus.directions[d].name + "." + text.name;
    const ScoreFiles files{run_folder, "hypotheses", base};
    TestScore entry;
    static_cast<ModelScores&>(entry) = model_scores(scores, d, files);
    if (!scores.sentence_losses.empty()) {
      entry.calibrated_loss = write_sentences(scores, d, text, files, entry.sentence_scores);
    }
    entry.set = text.name;
    entry.direction = data.corpus.directions[d].name;
    entry.sentences = std::ssize(text.directions[d].source);
    if (!text.directions[d].label.empty()) {
      entry.word_accuracy = mean_word_accuracy(scores.translations, d, text.directions[d].target);
    }
    if (last) entry.last_model = model_scores(*last, d, {run_folder, "hypotheses/last_model", base});
    entries.push_back(std::move(entry));
  }
  return entries;
}

CalibrationRecord calibrate(Transformer& model, const RunSpec& spec, const EncodedSet& valid, ExecutionContext where) {
  const std::int64_t batch = spec.training.tokens_per_batch;
  const double temperature = fitted_temperature(model, valid, batch, where);
  return {temperature, sentence_losses(model, valid, batch, 0, {temperature}, where).per_token(0)};
}

std::vector<SwapRecord> routing_swaps(Transformer& model, const RunSpec& spec, const EncodedSet& valid,
                                      ExecutionContext where) {
  constexpr std::array<std::pair<RoutingSwap, const char*>, 3> swaps = {{{RoutingSwap::shuffled, "shuffled"},
                                                                         {RoutingSwap::second_best, "second_best"},
                                                                         {RoutingSwap::random, "random"}}};
  const std::int64_t batch = spec.training.tokens_per_batch;
  const double own = sentence_losses(model, valid, batch, 0, {1.0}, where).per_token(0);
  std::vector<SwapRecord> records;
  for (const auto& [swap, name] : swaps) {
    const std::optional<double> loss = swapped_loss(model, valid, batch, swap, where);
    if (loss) records.push_back({name, loss, *loss - own});
  }
  return records;
}

}  // namespace moe
