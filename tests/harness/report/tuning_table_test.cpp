#include "harness/report/page/tuning_table.h"

#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

Json trial(const std::string& strategy, double dropout, double bleu, bool undertrained) {
  return {
      {"strategy", strategy}, {"set", {{"model.dropout", dropout}}}, {"seed", 1001}, {"run_id", "r"}, {"bleu", bleu},
      {"loss", 2.0},          {"undertrained", undertrained}};
}

Json example_tuning() {
  return {
      {"schema_version", 1},
      {"name", "my-sweep"},
      {"metric", "bleu"},
      {"set", "val"},
      {"best",
       Json::array(
           {{{"strategy", "dense"}, {"where", Json::object()}, {"set", {{"model.dropout", 0.3}}}, {"bleu", 21.0}}})},
      {"trials", Json::array({trial("dense", 0.1, 20, false), trial("dense", 0.3, 21, true)})}};
}

}  // namespace

TEST_CASE("the trials of a tuning beside the results are listed, the chosen setting marked") {
  const ResultFolder folder;
  folder.write(example_result({}));
  write_file(folder.path() / "tuning/tuning.json", format_json(example_tuning()));
  const std::vector<Tuning> tunings = read_tunings(read_results({folder.path()}, {}));
  REQUIRE(tunings.size() == 1);
  CHECK(tunings[0].name == "my-sweep");
  CHECK(tunings[0].trials.header[3] == "validation BLEU");
  CHECK(tunings[0].trials.rows[0] == std::vector<std::string>{"dense", "dropout 0.1", "1001", "20.0", ""});
  CHECK(tunings[0].trials.rows[1] == std::vector<std::string>{"dense †", "dropout 0.3", "1001", "21.0",
                                                              "chosen; at an end of what was tried: dropout 0.3"});
  CHECK_THAT(tunings[0].notes.back(), has_text("with more updates another setting might be the best"));
}

TEST_CASE("a tuning that cannot be read is named, and keeps nothing from being reported") {
  const ResultFolder folder;
  folder.write(example_result({}));
  CHECK(read_tunings(read_results({folder.path()}, {})).empty());
  write_file(folder.path() / "tuning.json", "{\"metric\": 5}");
  const std::vector<Tuning> tunings = read_tunings(read_results({folder.path()}, {}));
  REQUIRE(tunings.size() == 1);
  CHECK(tunings[0].trials.rows.empty());
  CHECK_THAT(tunings[0].notes.front(), has_text("tuning.json cannot be read: "));
}

}  // namespace moe
