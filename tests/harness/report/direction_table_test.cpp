#include "harness/report/tables/direction_table.h"

#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

TextTable directions_of(const ResultFolder& folder) {
  return direction_table(read_results({folder.path()}, {"dense", "switch"}));
}

}  // namespace

TEST_CASE("one model for all language pairs and one for each make the same table") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2}) {  // each pair on its own: 20, 22 and 30, 32
    folder.write(example_result({.seed = seed, .bleu = 18.0 + 2 * static_cast<double>(seed), .directions = {"de-en"}}));
    folder.write(example_result({.seed = seed, .bleu = 28.0 + 2 * static_cast<double>(seed), .directions = {"fr-en"}}));
  }
  folder.write(example_result({.router = "dense",
                               .label = "dense",
                               .experts = 1,
                               .bleu = 25,
                               .undertrained = true,
                               .directions = {"de-en", "fr-en"}}));
  const TextTable text = directions_of(folder);
  CHECK(text.header == std::vector<std::string>{"strategy", "experts", "de-en", "fr-en", "mean"});
  REQUIRE(text.rows.size() == 2);
  CHECK(text.rows[0] == std::vector<std::string>{"dense †", nothing, "25.0", "25.0", "25.0"});
  CHECK(text.rows[1] == std::vector<std::string>{"switch", "4", "21.0 ± 1.4", "31.0 ± 1.4", "26.0"});
}

TEST_CASE("where a language pair is missing there is no mean over them") {
  const ResultFolder folder;
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1, .directions = {"de-en", "fr-en"}}));
  folder.write(example_result({.directions = {"de-en"}}));
  const TextTable text = directions_of(folder);
  CHECK(text.rows[1] == std::vector<std::string>{"switch", "4", "30.0", nothing, nothing});
}

TEST_CASE("one language pair needs no table of its own") {
  const ResultFolder folder;
  folder.write(example_result({}));
  CHECK(directions_of(folder).rows.empty());
}

}  // namespace moe
