#include "harness/sweep/run_names.h"

#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"

#include <set>

namespace moe {
namespace {

std::vector<std::string> names_for(const Json& grid) {
  return run_names(test::read(test::small_sweep({{"grid", grid}})).runs);
}

}  // namespace

TEST_CASE("runs that differ in strategy and seed are named by these") {
  CHECK(names_for({{"strategy.router", {"dense", "switch"}}, {"training.seed", {1, 2}}}) ==
        test::Lines{"dense, seed 1", "dense, seed 2", "switch, 4 experts, seed 1", "switch, 4 experts, seed 2"});
  CHECK(names_for({{"strategy", {{{"router", "thor"}}, {{"router", "thor"}, {"objective", {{"consistency", 0}}}}}}}) ==
        test::Lines{"thor, 4 experts, seed 1", "thor (consistency 0), 4 experts, seed 1"});
}

TEST_CASE("whatever else differs between the runs of a sweep is in their names") {
  CHECK(names_for({{"model.dropout", {0, 0.1}}}) ==
        test::Lines{"switch, 4 experts, dropout 0.0, seed 1", "switch, 4 experts, dropout 0.1, seed 1"});
  CHECK(names_for({{"data.directions", {{"aa-ab"}, {"aa-ab", "aa-ba"}}}, {"training.flops", {nullptr, 1e12}}}) ==
        test::Lines{"switch, 4 experts, flops null, aa-ab, seed 1",
                    "switch, 4 experts, flops 1000000000000.0, aa-ab, seed 1",
                    "switch, 4 experts, flops null, aa-ab aa-ba, seed 1",
                    "switch, 4 experts, flops 1000000000000.0, aa-ab aa-ba, seed 1"});
  CHECK(
      names_for({{"data.synthetic.train_sentences", {100, 1000}}}) ==
      test::Lines{"switch, 4 experts, train_sentences 100, seed 1", "switch, 4 experts, train_sentences 1000, seed 1"});
}

TEST_CASE("a key whose end is another's too is named in full") {
  CHECK(names_for({{"data.synthetic.seed", {1, 2}}}) ==
        test::Lines{"switch, 4 experts, data.synthetic.seed 1, seed 1",
                    "switch, 4 experts, data.synthetic.seed 2, seed 1"});
}

TEST_CASE("sizes that a preset brings are not said, those that it does not bring are") {
  CHECK(names_for({{"model.preset", {"tiny", "small"}}}) ==
        test::Lines{"switch, 4 experts, preset tiny, seed 1", "switch, 4 experts, preset small, seed 1"});
}

TEST_CASE("different runs have different names, whichever keys differ") {
  const Json grid = {{"strategy.router", {"dense", "switch"}},
                     {"strategy.capacity_factor", {nullptr, 1.25}},
                     {"model.dropout", {0, 0.1}},
                     {"training.updates", {10, 20}},
                     {"evaluation.beam", {1, 4}},
                     {"data.vocabulary", {300, 400}},
                     {"data.sampling_temperature", {1.0, 5.0}},
                     {"training.seed", {1, 2}}};
  const std::vector<std::string> names = names_for(grid);
  CHECK(names.size() == 192);  // dense has no capacity
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
}

}  // namespace moe
