// Every strategy of experiments/all-routers.json through the program, for one update on a few sentences: what they all
// write is a result by the published schema.
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/json_schema.h"

#include <numeric>

namespace moe {
namespace {

const std::filesystem::path source = MOE_BENCH_SOURCE_DIR;

double sum_of(const Json& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0,
                         [](double sum, const Json& number) { return sum + number.get<double>(); });
}

/// What the schema cannot say of a layer's figures.
void check_layer(const Json& layer) {
  const auto experts = layer["experts"].get<std::size_t>();
  CHECK(layer["load"].size() == experts);
  CHECK(sum_of(layer["load"]) == Approx(1));
  for (const Json& direction : layer["load_by_direction"]) CHECK(sum_of(direction["load"]) == Approx(1));
  if (layer["co_activation"].is_null()) return;
  CHECK(layer["co_activation"].size() == experts);
  for (std::size_t one = 0; one < experts; ++one) {
    for (std::size_t other = 0; other < one; ++other) {
      CHECK(layer["co_activation"][one][other] == layer["co_activation"][other][one]);
    }
  }
}

}  // namespace

TEST_CASE("every strategy of experiments/all-routers.json writes results by the schema") {
  const TemporaryFolder folder;
  std::vector<std::string> more = {"--jobs", "2", "--quiet"};
  for (const char* setting :
       {"training.updates=1", "training.tokens_per_batch=256", "evaluation.every=1", "data.vocabulary=200",
        "data.synthetic.train_sentences=200", "data.synthetic.valid_sentences=6", "data.synthetic.test_sentences=4",
        "evaluation.draws=2"}) {
    more.insert(more.end(), {"--set", setting});
  }
  const Ended ended =
      run_program(run_arguments(source / "experiments" / "all-routers.json", folder.path() / "out", more));
  INFO(ended.error);
  REQUIRE(ended.status == 0);
  const test::SchemaChecker schema(read_json(source / "schemas" / "result.schema.json"));
  const std::vector<std::filesystem::path> runs = run_folders(folder.path() / "out");
  CHECK(runs.size() == 26);
  for (const std::filesystem::path& run : runs) {
    CAPTURE(run.filename().string());
    const Json result = read_json(run / "result.json");
    CHECK(schema.violations(result) == std::vector<std::string>{});
    CHECK(result["status"] == "finished");
    for (const Json& layer : result["routing"]) check_layer(layer);
  }
}

}  // namespace moe
