#include "core/memory.h"

#include "core/random.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

namespace moe {
namespace {

/// Sentence pairs of 2 to 60 tokens: hardly two batches of an epoch have one shape.
EncodedSet pairs_of_all_lengths(std::int64_t count) {
  const RandomStream draws(7);
  const auto sentence = [&](RandomStream stream) {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < 1 + stream.below(59); ++i) {
      ids.push_back(end_id + 1 + stream.at(i).below(tiny_vocabulary - end_id - 1));
    }
    ids.push_back(end_id);
    return ids;
  };
  EncodedSet set;
  for (std::int64_t i = 0; i < count; ++i) {
    EncodedPair pair;
    pair.source = sentence(draws.at(i).at("source"));
    pair.target = sentence(draws.at(i).at("target"));
    pair.sentence = i;
    set.push_back(std::move(pair));
  }
  return set;
}

}  // namespace

TEST_CASE("memory stays where it is while the shapes of batches keep changing") {
  TinyTraining run;
  run.pairs = pairs_of_all_lengths(3000);
  run.training.tokens_per_batch = 512;
  run.training.precision = GENERATE("fp32", "bf16");
  run.objective.passes = 2;
  run.objective.consistency = 5;
  run.start("thor", {{"experts", 2}}, 0.1);
  run.trainer->reserve_memory();
  for (int step = 0; step < 100; ++step) run.trainer->step();
  const std::int64_t before = resident_bytes();
  for (int step = 0; step < 200; ++step) run.trainer->step();
  const std::int64_t grown = resident_bytes() - before;
  CAPTURE(run.training.precision, before, grown);
  CHECK(grown < before / 20);
}

TEST_CASE("the largest batch is met first, and nothing is learned from it") {
  TinyTraining plain, rehearsed;
  plain.start("switch", {{"experts", 3}}, 0.1);
  rehearsed.start("switch", {{"experts", 3}}, 0.1);
  rehearsed.trainer->reserve_memory();
  for (int step = 0; step < 3; ++step) {
    plain.trainer->step();
    rehearsed.trainer->step();
  }
  CHECK(first_difference(state_of(*plain.trainer), state_of(*rehearsed.trainer)).empty());
}

}  // namespace moe
