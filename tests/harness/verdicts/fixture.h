#pragma once
// Made-up runs with the scores of their sentences, for the tests of verdicts.

#include "core/error.h"
#include "core/random.h"
#include "harness/results/sentence_scores.h"
#include "harness/verdicts/verdicts.h"
#include "routers/registry.h"
#include "tests/harness/results_fixture.h"

#include <cmath>
#include <string>
#include <vector>

namespace moe {

/// A run whose loss is a made-up one.
struct LossRun : RunChoice {
  double loss = 2.0;    ///< nats per token, before noise
  double noise = 0.05;  ///< of single sentences, per token
  double share = 1.0;   ///< data.train_share
  bool with_sentences = true;
};

inline std::vector<SentenceScore> made_up_sentences(const LossRun& run, std::int64_t count) {
  const RandomStream stream =
      RandomStream(7).at(run.label).at(run.seed).at(run.experts).at(std::lround(64 * run.share));
  std::vector<SentenceScore> sentences;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t tokens = 5 + RandomStream(3).at(i).below(20);
    const double difficulty = RandomStream(5).at(i).normal() * 0.3;
    const double nats = static_cast<double>(tokens) * (run.loss + difficulty + run.noise * stream.at(i).normal());
    sentences.push_back({nats, nats, tokens, Summands(10, 1), Summands(18, 1)});
  }
  return sentences;
}

/// Writes a run with its sentences, whose loss is what they add up to.
inline std::string write_loss_run(const ResultFolder& folder, const LossRun& run, std::int64_t sentences = 200) {
  Json result = example_result(run);
  const std::string id = result["run_id"].get<std::string>() + "-" + std::to_string(std::lround(64 * run.share));
  result["run_id"] = id;
  result["config"]["data"]["train_share"] = run.share;
  result["training"]["undertrained"] = run.undertrained;
  result["data_digest"] = fmt::format("{:016x}", std::lround(64 * run.share));  // of the training data too
  const std::vector<SentenceScore> made_up = made_up_sentences(run, sentences);
  double nats = 0, tokens = 0;
  for (const SentenceScore& sentence : made_up) {
    nats += sentence.nats;
    tokens += static_cast<double>(sentence.tokens);
  }
  result["scores"][0]["loss"] = nats / tokens;
  if (run.with_sentences) {
    result["scores"][0]["sentence_scores"] = {"sentences/test.csv"};
    write_sentence_scores(folder.path() / "runs" / id / "sentences/test.csv", made_up);
  }
  folder.write(result);
  return id;
}

/// The verdicts on claims about the runs of a folder; `overrides`: of its sweep.
inline std::vector<Verdict> verdicts_on(const ResultFolder& folder, const std::vector<Json>& claims,
                                        const Json& overrides = Json::array(),
                                        const std::map<std::string, EarlierLook>& earlier = {}) {
  write_file(folder.path() / "sweep.json",
             format_json({{"name", "made-up"}, {"claims", claims}, {"overrides", overrides}}));
  return make_verdicts(read_results({folder.path()}, router_names()), earlier);
}

/// `more`: keys in place of the defaults, which compare the losses of thor and switch.
inline Json claim(const std::string& kind, const Json& more = Json::object()) {
  Json json = {{"id", kind}, {"kind", kind}, {"metric", "loss"}, {"a", {{"strategy.router", "thor"}}}};
  if (kind != "grows_with") json["b"] = {{"strategy.router", "switch"}};
  json.update(more);
  return json;
}

/// Both strategies with these losses plus a little that each seed adds to both and to each.
inline void write_pair(const ResultFolder& folder, double thor, double other, int seeds, double spread = 0.002,
                       double share = 1.0, std::int64_t experts = 4) {
  for (int seed = 1; seed <= seeds; ++seed) {
    const RandomStream stream = RandomStream(11).at(seed).at(std::lround(64 * share)).at(experts);
    const double shared = 0.05 * RandomStream(13).at(seed).normal();
    write_loss_run(folder,
                   {{"thor", "thor", experts, seed}, thor + shared + spread * stream.at("thor").normal(), 0.05, share});
    write_loss_run(
        folder,
        {{"switch", "switch", experts, seed}, other + shared + spread * stream.at("switch").normal(), 0.05, share});
  }
}

}  // namespace moe
