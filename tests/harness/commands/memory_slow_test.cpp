// Memory over a run that is long enough to show what grows.
#include "core/memory.h"
#include "harness/run/run_needs.h"
#include "harness/sweep/sweep.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// Two passes of a small model over sentences of many lengths, validated and translated again and again.
Json soak_sweep(const std::string& precision) {
  Json sweep = tiny_sweep();
  sweep["data"]["synthetic"].update(
      {{"train_sentences", 7000}, {"valid_sentences", 200}, {"nouns", 60}, {"verbs", 30}});
  sweep["data"]["vocabulary"] = 500;
  sweep["model"].update({{"width", 64}, {"ffn", 128}, {"heads", 4}, {"dropout", 0.3}});
  sweep["training"].update({{"tokens_per_batch", 1024}, {"updates", 2000}, {"precision", precision}});
  sweep["evaluation"].update({{"every", 250}, {"beam", 5}, {"valid_beam", 5}});
  sweep["strategy"] = {{"objective", {{"passes", 2}, {"consistency", 5}}}};
  sweep["grid"]["strategy.router"] = Json::array({"dense"});
  return sweep;
}

/// Resident memory of the run's process, every fifth of a second from its start to its end.
std::vector<std::int64_t> watch_memory(Program& program) {
  std::vector<std::int64_t> samples;
  while (!program.ended()) {
    for (const pid_t child : program.children()) {
      if (const std::int64_t bytes = resident_bytes(std::to_string(child)); bytes > 0) samples.push_back(bytes);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return samples;
}

}  // namespace

TEST_CASE("the memory of a run is at its end what it was after a quarter, and no more than was expected", "[slow]") {
  const std::string precision = GENERATE("fp32", "bf16");
  const TemporaryFolder folder;
  const std::filesystem::path sweep = folder.path() / "sweep.json";
  write_file(sweep, format_json(soak_sweep(precision)));
  Program program(run_arguments(sweep, folder.path() / "out"));
  const std::vector<std::int64_t> samples = watch_memory(program);
  REQUIRE(program.wait().status == 0);
  REQUIRE(samples.size() > 40);
  const auto quarter = samples.begin() + std::ssize(samples) / 4;
  const std::int64_t early = *std::max_element(samples.begin(), quarter),
                     most = *std::max_element(quarter, samples.end());
  CAPTURE(precision, early, most);
  CHECK(static_cast<double>(most) < 1.1 * static_cast<double>(early));
  CHECK(most < expected_memory(read_sweep(sweep, {}).runs.front()));
}

}  // namespace moe
