#include "harness/commands/import_command.h"

#include "core/error.h"
#include "harness/report/tables/results_table.h"
#include "harness/results/imported_run.h"
#include "harness/results/result_file.h"
#include "harness/results/result_set.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "tests/support/json_schema.h"

#include <sstream>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// A folder with a reference of two lines and two translations of it.
class ImportCase {
 public:
  ImportCase() {
    request.out = results.path();
    request.label = "OPUS-MT 2020";
    request.direction = "de-en";
    request.set = "test";
    request.reference = write("reference", "a b c d e\nf g h i j\n");
    request.hypotheses = {write("first", "a b c d e\nf g h i j\n"), write("second", "a b c d x\nf g h i j\n")};
  }
  fs::path write(const std::string& name, const std::string& text) const {
    write_file(files_.path() / name, text);
    return files_.path() / name;
  }
  std::string import() const {
    std::ostringstream out, notes;
    run_import(request, out, notes);
    return notes.str();
  }
  std::string error() const {
    try {
      import();
    } catch (const Error& error) {
      CHECK(error.status() == ExitStatus::request_wrong);
      return error.what();
    }
    return "";
  }

  ResultFolder results;
  ImportRequest request;

 private:
  TemporaryFolder files_;
};

}  // namespace

TEST_CASE("imported translations are runs of their own, one for each seed, with scores alone") {
  ImportCase test;
  test.request.parameters = 77000000;
  test.request.source = "a hub of models";
  CHECK(test.import().empty());
  const ResultSet results = read_results({test.results.path()}, {});
  CHECK(results.left_out.empty());
  REQUIRE(results.runs.size() == 2);
  const test::SchemaChecker schema(result_schema());
  for (const RunResult& run : results.runs) {
    CHECK(schema.violations(read_result(run.file)) == std::vector<std::string>{});
    CHECK(run.imported());
    CHECK_FALSE(run.finished());
    CHECK(run.run_id == run.file.parent_path().filename().string());
    CHECK(run.run_id.starts_with("imported-OPUS-MT-2020-de-en-s" + std::to_string(run.seed) + "-"));
    CHECK(run.parameters->total == 77000000);
    CHECK(run.imported_from->source == "a hub of models");
    CHECK_FALSE(run.training.has_value());
    CHECK_FALSE(run.scores[0].loss.has_value());
    CHECK(fs::exists(run.file.parent_path() / run.scores[0].hypotheses[0]));
  }
  CHECK(results.runs[0].scores[0].bleu.score == Approx(100));
  CHECK(results.runs[1].scores[0].bleu.score < 100);
  CHECK(read_file(results.runs[1].file.parent_path() / "hypotheses/de-en.test.txt") == "a b c d x\nf g h i j\n");
  CHECK(imported_run_id(results.runs[1], {"a b c d x", "f g h i j"}) == results.runs[1].run_id);
  CHECK(imported_run_id(results.runs[1], {"a b c d x", "f g h i"}) != results.runs[1].run_id);
}

TEST_CASE("a label without a letter is a label, and a folder of results is made where there is none") {
  ImportCase test;
  test.request.label = "翻訳";
  test.request.out = test.results.path() / "new";
  test.request.hypotheses.pop_back();
  test.import();
  const ResultSet results = read_results({test.request.out}, {});
  REQUIRE(results.runs.size() == 1);
  CHECK(results.runs[0].run_id.starts_with("imported-de-en-s1-"));
  CHECK(results.runs[0].strategy.label == "翻訳");
}

TEST_CASE("what cannot be imported is one sentence, and nothing is written") {
  ImportCase test;
  ImportRequest& request = test.request;
  SECTION("label") {
    request.label = "  ";
    CHECK(names(test.error(), {"--name"}));
  }
  SECTION("label that is no text") {
    request.label = "\xff";
    CHECK(test.error() == "--name: is not valid UTF-8.");
  }
  SECTION("direction") {
    request.direction = "de";
    CHECK(names(test.error(), {"--direction de"}));
  }
  SECTION("set") {
    request.set = "a/b";
    CHECK(names(test.error(), {"--set \"a/b\""}));
  }
  SECTION("lines that are missing") {
    request.hypotheses[1] = test.write("short", "a\n");
    CHECK(names(test.error(), {request.hypotheses[1].string() + ":2: ends after 1 lines", request.reference.string()}));
  }
  SECTION("bytes that are no text") {
    request.hypotheses[1] = test.write("bytes", "a\n\xff\n");
    CHECK(test.error() == request.hypotheses[1].string() + ":2: is not valid UTF-8.");
  }
  SECTION("no such file") {
    request.reference = "nowhere";
    CHECK(names(test.error(), {"nowhere"}));
  }
  CHECK(fs::is_empty(test.results.path() / "runs"));
}

TEST_CASE("another test set of the same label is another column of its row, of the same seeds") {
  ImportCase test;
  test.import();
  test.request.set = "test2017";
  test.import();
  const ResultSet results = read_results({test.results.path()}, {});
  const ResultsTable table = make_results_table(results);
  REQUIRE(table.rows.size() == 1);
  CHECK(table.columns.size() == 2);
  CHECK(format_results(table).rows[0][2] == "2");  // hypotheses of each
  CHECK(results_in_full(table).rows[0][4] == "2");
  CHECK_THAT(evidence_sentence(table), has_text("Means of 2 seeds"));
}

TEST_CASE("a label is imported once for a test set, and a reference must fit the runs that are there") {
  ImportCase test;
  test.import();
  CHECK(names(test.error(), {"--name OPUS-MT 2020", "imported-OPUS-MT-2020-de-en-s1-"}));
  test.request.label = "another";
  test.results.write(example_result({}));  // its test set has 100 sentences
  CHECK(names(test.error(), {test.request.reference.string() + ": has 2 lines", "100 sentences of test de-en"}));
}

}  // namespace moe
