#include "harness/report/page/in_words.h"

#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

std::vector<std::string> sentences_of(const std::vector<Verdict>& verdicts) {
  std::vector<std::string> sentences;
  for (const Statement& statement : in_words({{}, verdicts})) sentences.push_back(statement.text);
  return sentences;
}

}  // namespace

TEST_CASE("what was decided is told first, then what was not, then what could not be tested") {
  const std::vector<std::string> told = sentences_of(
      {untestable_verdict("a"), example_verdict("b", VerdictKind::undecided, 0),
       example_verdict("c", VerdictKind::contradicted, -1), example_verdict("d", VerdictKind::supported, 1)});
  CHECK(told == std::vector<std::string>{"Of 4 claims 1 is supported, 1 is contradicted, 1 is undecided and 1 is "
                                         "untestable.",
                                         "Sentence of d.", "Sentence of c.", "Sentence of b.", "Sentence of a."});
}

TEST_CASE("of many claims five are told, and none of the verdicts is hidden") {
  std::vector<Verdict> verdicts;
  for (int i = 0; i < 7; ++i) verdicts.push_back(example_verdict(std::to_string(i), VerdictKind::supported, 1));
  verdicts.push_back(example_verdict("open", VerdictKind::undecided, 0));
  const std::vector<std::string> told = sentences_of(verdicts);
  REQUIRE(told.size() == 6);
  CHECK(told[0] == "Of 8 claims 7 are supported and 1 is undecided. Told here are 5 of them; the table below has all.");
  CHECK(told[4] == "Sentence of 3.");
  CHECK(told[5] == "Sentence of open.");
}

TEST_CASE("without claims the page says how sure differences are") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const ResultSet results = read_results({folder.path()}, {});
  const std::vector<Statement> told = in_words({make_results_table(results), {}});
  REQUIRE(told.size() == 1);
  CHECK(told[0].text == "One seed each: differences are not tested.");
  CHECK_FALSE(told[0].verdict.has_value());
}

}  // namespace moe
