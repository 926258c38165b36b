#include "harness/report/tables/direction_table.h"

#include "core/error.h"
#include "harness/report/baseline.h"
#include "harness/results/sentence_scores.h"
#include "metrics/bleu.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

TextTable directions_of(const ResultFolder& folder) {
  const ResultSet results = read_results({folder.path()}, {"dense", "switch"});
  ResultsTable table = make_results_table(results);
  compare_with_baseline(results, table);
  return direction_table(results, table);
}

/// Writes a run of two language pairs whose sentences of ten words have so many words right in each, give or take one.
void write_run(const ResultFolder& folder, RunChoice choice, std::int64_t right_in_german,
               std::int64_t right_in_french) {
  choice.directions = {"de-en", "fr-en"};
  Json result = example_result(choice);
  const auto run_folder = folder.path() / "runs" / result["run_id"].get<std::string>();
  for (std::size_t d = 0; d < 2; ++d) {
    std::vector<SentenceScore> sentences;
    BleuStatistics sum;
    for (std::int64_t i = 0; i < 100; ++i) {
      const std::int64_t right = (d == 0 ? right_in_german : right_in_french) + (i * choice.seed) % 3 - 1;
      const BleuStatistics words{{right, right - 1, right - 2, right - 3}, {10, 9, 8, 7}, 10, 10};
      sum += words;
      sentences.push_back({20, 20, 11, words.summands(), Summands(18, 1)});
    }
    const std::string file = fmt::format("sentences/{}.csv", d);
    write_sentence_scores(run_folder / file, sentences);
    const double bleu = score_bleu(sum, {}).score;
    result["scores"][d]["sentence_scores"] = {file};
    result["scores"][d]["bleu"]["score"] = bleu;
    result["scores"][d]["bleu"]["draws"] = {bleu};
  }
  folder.write(result);
}

}  // namespace

TEST_CASE("a star marks the language pairs in which a strategy differs from dense") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2, 3}) {
    write_run(folder, {.router = "dense", .label = "dense", .experts = 1, .seed = seed}, 6, 6);
    write_run(folder, {.seed = seed}, 8, 6);
  }
  const TextTable text = directions_of(folder);
  REQUIRE(text.rows.size() == 2);
  for (const std::string& cell : text.rows[0]) CHECK(!cell.ends_with("*"));
  CHECK(text.rows[1][2].ends_with(" *"));
  CHECK(!text.rows[1][3].ends_with("*"));
}

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
  CHECK(text.rows[1] == std::vector<std::string>{"switch", "4", "21.0 ± 1.4", "31.0 ± 1.4", "26.0 ± 1.4"});
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
