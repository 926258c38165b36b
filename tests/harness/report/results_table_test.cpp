#include "harness/report/tables/results_table.h"

#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

std::string cell(const TextTable& table, std::size_t row, const std::string& column) {
  const auto place = std::find(table.header.begin(), table.header.end(), column);
  REQUIRE(place != table.header.end());
  return table.rows.at(row).at(static_cast<std::size_t>(place - table.header.begin()));
}

}  // namespace

TEST_CASE("seeds of one configuration are one row with mean, deviation and interval") {
  const ResultFolder folder;
  folder.write(example_result({.seed = 1, .bleu = 29}));
  folder.write(example_result({.seed = 2, .bleu = 30}));
  folder.write(example_result({.seed = 3, .bleu = 31}));
  const ResultSet results = read_results({folder.path()}, {});
  const ResultsTable table = make_results_table(results);
  REQUIRE(table.rows.size() == 1);
  REQUIRE(table.rows[0].scores.size() == 1);
  const Estimate bleu = table.rows[0].scores[0]->bleu;
  CHECK(bleu.mean == Approx(30));
  CHECK(bleu.count == 3);
  CHECK(*bleu.deviation == Approx(1));
  // Student's t with two degrees of freedom: 4.302653 at 97.5 %.
  CHECK(bleu.interval->low == Approx(30 - 4.302653 / std::sqrt(3)));
  CHECK(bleu.interval->high == Approx(30 + 4.302653 / std::sqrt(3)));

  const TextTable text = format_results(table);
  CHECK(cell(text, 0, "BLEU test de-en") == "30.0 ± 1.0 (27.5 to 32.5)");
  CHECK(cell(text, 0, "chrF test de-en") == "50.0 ± 1.0");
  CHECK(cell(text, 0, "seeds") == "3");
  CHECK(evidence_sentence(table) == "Means of 3 seeds with 95 % intervals of the mean.");
}

TEST_CASE("one seed has no deviation, and the table says that differences are not tested") {
  const ResultFolder folder;
  folder.write(example_result({.experts = 2}));
  folder.write(example_result({.experts = 4}));
  const ResultSet results = read_results({folder.path()}, {});
  const ResultsTable table = make_results_table(results);
  const TextTable text = format_results(table);
  REQUIRE(text.rows.size() == 2);
  CHECK(cell(text, 0, "strategy") == "switch");
  CHECK(cell(text, 0, "experts") == "2");
  CHECK(cell(text, 1, "total parameters") == "4.00 M");
  CHECK(cell(text, 1, "active parameters") == "1.00 M");
  CHECK(cell(text, 1, "training FLOPs") == "1.20e15");
  CHECK(cell(text, 1, "validation BLEU") == "20.0");
  CHECK(cell(text, 1, "validation loss") == "2.500");
  CHECK(cell(text, 1, "BLEU test de-en") == "30.0");
  CHECK(cell(text, 1, "tokens/s") == "5000");
  CHECK(table_notes(table).front() == "One seed each: differences are not tested.");
  CHECK(cell(results_in_full(table), 0, "test.de-en.bleu_sd").empty());
}

TEST_CASE("a drawn evaluation shows the spread of its draws with a mark") {
  const ResultFolder folder;
  Json result = example_result({.router = "thor", .label = "thor"});
  result["scores"][0]["bleu"] = {
      {"score", 30.0}, {"standard_deviation", 0.25}, {"draws", {29.75, 30.0, 30.25}}, {"signature", "b"}};
  folder.write(result);
  const ResultSet results = read_results({folder.path()}, {});
  const ResultsTable table = make_results_table(results);
  CHECK(cell(format_results(table), 0, "BLEU test de-en") == "30.0 ± 0.2 ‡");
  CHECK_THAT(table_notes(table)[1], has_text("drawn at random at evaluation"));
}

TEST_CASE("the table for papers has sizes and scores alone") {
  const ResultFolder folder;
  folder.write(example_result({.seed = 1, .bleu = 29}));
  folder.write(example_result({.seed = 2, .bleu = 31}));
  const ResultSet results = read_results({folder.path()}, {});
  const TextTable text = results_for_papers(make_results_table(results));
  CHECK(text.header ==
        std::vector<std::string>{"strategy", "experts", "total", "active", "BLEU test de-en", "chrF test de-en"});
  CHECK(text.rows[0] == std::vector<std::string>{"switch", "4", "4.00 M", "1.00 M", "30.0 ± 1.4", "50.0 ± 1.4"});
}

TEST_CASE("undertrained and failed runs are marked, and a strategy without experts has a dash") {
  const ResultFolder folder;
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  folder.write(example_result({.seed = 1, .undertrained = true}));
  folder.write(failed_result({.seed = 2}, "It failed."));
  folder.write(failed_result({.router = "thor", .label = "thor"}, "It failed too."));
  const ResultSet results = read_results({folder.path()}, {"dense", "switch", "thor"});
  const ResultsTable table = make_results_table(results);
  const TextTable text = format_results(table);
  REQUIRE(text.rows.size() == 3);
  CHECK(cell(text, 0, "experts") == "–");
  CHECK(cell(text, 0, "notes").empty());
  CHECK(cell(text, 1, "strategy") == "switch †");
  CHECK(cell(text, 1, "notes") == "† undertrained; 1 of 2 runs failed");
  CHECK(cell(text, 2, "notes") == "failed");
  CHECK(cell(text, 2, "total parameters") == "4.00 M");
  CHECK(cell(text, 2, "BLEU test de-en") == "–");
}

TEST_CASE("translations of another program are rows with a mark, scores and no training figures") {
  const ResultFolder folder;
  folder.write(example_result({.bleu = 30}));
  folder.write(imported_result("OPUS-MT", 1, 35));
  folder.write(imported_result("OPUS-MT", 2, 37));
  const ResultSet results = read_results({folder.path()}, {"switch"});
  const ResultsTable table = make_results_table(results);
  const TextTable text = format_results(table);
  REQUIRE(text.rows.size() == 2);
  CHECK(cell(text, 0, "strategy") == "switch");
  CHECK(cell(text, 1, "strategy") == "OPUS-MT (imported)");
  CHECK(cell(text, 1, "seeds") == "2");
  CHECK_THAT(cell(text, 1, "BLEU test de-en"), has_text("36.0 ± 1.4"));
  CHECK(cell(text, 1, "total parameters") == "1.00 M");
  for (const char* column : {"training FLOPs", "validation BLEU", "validation loss", "tokens/s"}) {
    CHECK(cell(text, 1, column) == "–");
  }
  CHECK(cell(text, 1, "notes").empty());
  const std::vector<std::string> notes = table_notes(table);
  CHECK(std::any_of(notes.begin(), notes.end(),
                    [](const std::string& note) { return note.starts_with("(imported): translations of another"); }));
}

TEST_CASE("data of different directions are different rows and columns") {
  const ResultFolder folder;
  folder.write(example_result({.directions = {"de-en"}}));
  folder.write(example_result({.directions = {"fr-en"}}));
  const ResultSet results = read_results({folder.path()}, {});
  const ResultsTable table = make_results_table(results);
  const TextTable text = format_results(table);
  REQUIRE(text.rows.size() == 2);
  CHECK(cell(text, 0, "setting") == "de-en");
  CHECK(cell(text, 0, "BLEU test de-en") == "30.0");
  CHECK(cell(text, 0, "BLEU test fr-en") == "–");
  CHECK(cell(text, 1, "BLEU test fr-en") == "30.0");
}

TEST_CASE("scores of the last weights stand beside those of their mean where every run has them") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2}) {
    Json result = example_result({.seed = seed, .bleu = 30});
    result["scores"][0]["last_model"] = example_score("de-en", 27 + static_cast<double>(seed));
    folder.write(result);
  }
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1, .bleu = 20}));
  const ResultSet results = read_results({folder.path()}, {"dense", "switch"});
  const ResultsTable table = make_results_table(results);
  const TextTable text = format_results(table);
  CHECK(cell(text, 0, "last weights") == "–");
  CHECK(cell(text, 1, "last weights") == "28.5 ± 0.7");
  CHECK(cell(results_in_full(table), 1, "test.de-en.last_model_bleu") == "28.5");
  const std::vector<std::string> notes = table_notes(table);
  CHECK(std::any_of(notes.begin(), notes.end(),
                    [](const std::string& note) { return note.starts_with("Scores are of the mean of the weights"); }));
}

}  // namespace moe
