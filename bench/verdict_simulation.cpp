// How often verdicts are wrong where nothing differs, and how often they find what does: claims on made-up runs, from
// sums per sentence to verdicts. Prints the table of docs/statistics.md, "Verdicts, simulated".
//
//     build/verdict_simulation [REPETITIONS]
//
// A made-up system matches each word of a reference with a probability that depends on its quality, the sentence, and
// chance. A seed moves the qualities of both systems together and each by itself.

#include "core/error.h"
#include "core/random.h"
#include "harness/verdicts/verdicts.h"
#include "metrics/bleu.h"
#include "metrics/comparison/hypothesis_tests.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>

namespace moe {
namespace {

constexpr std::int64_t sentences_in_set = 150;

struct World {
  const char* name;
  double effect;     ///< added to the quality of the first system
  double deviation;  ///< over seeds, of each system
  Json claim;
  int seeds;
  int pairs = 1;  ///< of systems, with a claim about each
};

/// The two systems of a pair, by names that claims know; nothing of these routers is in them.
std::string first_of(int pair) {
  constexpr std::array names = {"thor", "gshard", "top_k", "smoe", "hash", "base"};
  return names.at(static_cast<std::size_t>(pair));
}
std::string second_of(int pair) {
  constexpr std::array names = {"switch", "dense", "cosine", "cmr", "random", "soft"};
  return names.at(static_cast<std::size_t>(pair));
}

/// The world's claim about a pair.
Json claim_about(const World& world, int pair) {
  Json claim = world.claim;
  claim["id"] = fmt::format("claim {}", pair);
  claim["a"] = {{"strategy.router", first_of(pair)}};
  claim["b"] = {{"strategy.router", second_of(pair)}};
  return claim;
}

/// One system's translations of the test set, in BLEU's counts.
std::vector<SentenceScore> translate(const RandomStream& system, double quality) {
  std::vector<SentenceScore> sentences;
  for (std::int64_t i = 0; i < sentences_in_set; ++i) {
    const RandomStream sentence = RandomStream(17).at(i);
    const std::int64_t length = 8 + sentence.at("length").below(13);
    const double own = quality + 0.08 * sentence.at("difficulty").normal() + 0.06 * system.at(i).normal();
    const double probability = std::clamp(own, 0.02, 0.98);
    BleuStatistics statistics;
    std::int64_t in_a_row = 0;
    for (std::int64_t word = 0; word < length; ++word) {
      in_a_row = system.at(i).at(word).uniform() < probability ? in_a_row + 1 : 0;
      for (std::int64_t n = 0; n < static_cast<std::int64_t>(bleu_order); ++n) {
        if (word >= n) ++statistics.totals[static_cast<std::size_t>(n)];
        if (in_a_row > n) ++statistics.counts[static_cast<std::size_t>(n)];
      }
    }
    statistics.system_length = length;
    statistics.reference_length = length;
    sentences.push_back({1, 1, 1, statistics.summands(), {}});
  }
  return sentences;
}

double bleu_of(const std::vector<SentenceScore>& sentences) {
  BleuStatistics sum;
  for (const SentenceScore& sentence : sentences) sum += BleuStatistics::of(sentence.bleu);
  return score_bleu(sum, {}).score;
}

/// The runs of one repetition, with their sentences by file.
struct Repetition {
  ResultSet results;
  std::map<std::string, std::vector<SentenceScore>> sentences;

  void add(const std::string& router, std::int64_t seed, std::vector<SentenceScore> translations) {
    RunResult run;
    run.run_id = fmt::format("{}-{}", router, seed);
    run.status = "finished";
    run.strategy = {router, router, 1};
    run.seed = seed;
    run.config = {{"strategy", {{"router", router}}}, {"training", {{"seed", seed}}}};
    run.settings = {{"strategy.router", router}, {"training.seed", seed}};
    run.file = run.run_id + "/result.json";
    TestScore score;
    score.set = "test";
    score.direction = "de-en";
    score.bleu.score = bleu_of(translations);
    score.sentence_scores = {"sentences.csv"};
    run.scores = {score};
    sentences[run.run_id + "/sentences.csv"] = std::move(translations);
    results.runs.push_back(std::move(run));
  }
};

Repetition repeat(const World& world, std::int64_t repetition) {
  Repetition made;
  made.results.axes = {"strategy.router", "training.seed"};
  Json claims = Json::array();
  for (int pair = 0; pair < world.pairs; ++pair) {
    claims.push_back(claim_about(world, pair));
    const RandomStream of_pair = RandomStream(23).at(world.name).at(repetition).at(pair);
    for (std::int64_t seed = 1; seed <= world.seeds; ++seed) {
      const RandomStream stream = of_pair.at(seed);
      const double shared = 0.6 + 0.02 * stream.at("shared").normal();
      for (const std::string& router : {first_of(pair), second_of(pair)}) {
        const double effect = router == first_of(pair) ? world.effect : 0.0;
        const double quality = shared + effect + world.deviation * stream.at(router).normal();
        made.add(router, seed, translate(stream.at(router).at("words"), quality));
      }
    }
  }
  made.results.sweeps = {Json{{"claims", claims}}};
  return made;
}

/// A share with its Monte Carlo error: "4.1 % ± 0.4".
std::string share_text(int count, int of) {
  const double share = static_cast<double>(count) / of;
  return fmt::format("{:.1f} % ± {:.1f}", 100 * share, 100 * std::sqrt(share * (1 - share) / of));
}

/// Whether a verdict is what the worlds count: a difference, or an equality where the claim is about one.
bool is_called_real(const Verdict& verdict) {
  const bool equality = verdict.kind == "equal";
  return verdict.verdict == VerdictKind::supported ||
         (verdict.verdict == VerdictKind::contradicted && !equality && !verdict.by_equality);
}

void simulate(const World& world, int repetitions) {
  int found = 0, by_seeds = 0;
  std::vector<double> effects;
  for (int r = 0; r < repetitions; ++r) {
    const Repetition made = repeat(world, r);
    const auto read = [&](const std::filesystem::path& file) { return made.sentences.at(file.string()); };
    const std::vector<Verdict> verdicts = make_verdicts(made.results, {}, read);
    found += std::any_of(verdicts.begin(), verdicts.end(), is_called_real) ? 1 : 0;
    for (const Verdict& verdict : verdicts) {
      if (!verdict.evidence) throw Error(fmt::format("{}: {}", world.name, verdict.sentence));
      const std::vector<double>& of_seeds = verdict.evidence->seed_effects;
      effects.insert(effects.end(), of_seeds.begin(), of_seeds.end());
      const double p =
          verdict.kind == "equal" ? equivalence_p(of_seeds, verdict.delta) : t_test_p(of_seeds, verdict.margin);
      by_seeds += p <= verdict.level ? 1 : 0;
    }
  }
  const double effect = mean(effects), deviation = sample_deviation(effects).value_or(0);
  const double delta = world.claim.value("delta", 0.0);
  const double power = world.claim["kind"] == "equal" ? equivalence_power(effect, deviation, world.seeds, delta, 0.05)
                                                      : t_test_power(effect, deviation, world.seeds, 0.05);
  std::cout << fmt::format("| {} | {} | {:.2f} ± {:.2f} | {} | {} | {:.1f} % |\n", world.name, world.seeds, effect,
                           deviation, share_text(found, repetitions), share_text(by_seeds, repetitions * world.pairs),
                           100 * power)
            << std::flush;
}

Json claim(const char* kind, double delta) {
  return {{"kind", kind}, {"metric", "bleu"}, {"delta", delta}};
}

void simulate_all(int repetitions) {
  std::cout
      << fmt::format("{} repetitions, {} sentences, level 5 %.\n\n", repetitions, sentences_in_set)
      << "| what is true | seeds | difference of BLEU, mean and deviation over seeds | called real | by the seeds "
         "alone, a claim | power printed |\n| --- | ---: | ---: | ---: | ---: | ---: |\n";
  const World worlds[] = {
      {"nothing differs, the seeds hardly", 0, 0.002, claim("better", 0), 3},
      {"nothing differs", 0, 0.01, claim("better", 0), 3},
      {"nothing differs", 0, 0.01, claim("better", 0), 5},
      {"a difference", 0.03, 0.01, claim("better", 0), 3},
      {"a larger difference", 0.06, 0.01, claim("better", 0), 3},
      {"a difference", 0.04, 0.01, claim("better", 0), 5},
      {"nothing differs: equal within 6 BLEU?", 0, 0.01, claim("equal", 6), 5},
      {"they differ by about 6: equal within 6 BLEU?", 0.05, 0.01, claim("equal", 6), 5},
      {"six pairs, nothing differs, equal within 4 BLEU", 0, 0.01, claim("better", 4), 5, 6},
      {"six pairs, nothing differs, equal within 4 BLEU", 0, 0.01, claim("better", 4), 8, 6},
  };
  for (const World& world : worlds) simulate(world, repetitions);
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {
  try {
    moe::simulate_all(argc > 1 ? std::stoi(argv[1]) : 1000);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
