#include "harness/run/scores/inference_modes.h"

#include "metrics/statistics.h"
#include "routers/inference.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"
#include "training/evaluation.h"

namespace moe {
namespace {

RunSpec spec_of(const std::string& router, const Json& options) {
  RunSpec spec;
  spec.strategy.router = router;
  spec.strategy.options = options;
  spec.training.tokens_per_batch = 40;
  spec.evaluation.draws = 2;
  return spec;
}

}  // namespace

TEST_CASE("inference modes are each evaluated as often as they say, and experts are compared in pairs") {
  const EncodedSet set = tiny_pairs(9);
  const Json options = {{"experts", 3}, {"inference", "sentence"}};
  const auto model = tiny_transformer("thor", options);
  const std::optional<InferenceRecord> record = inference_modes(*model, spec_of("thor", options), set, torch::kCPU);
  REQUIRE(record);
  const std::vector<std::pair<std::string, std::int64_t>> evaluations = {
      {"token", 2}, {"sentence", 2}, {"position_shared", 2}, {"mean", 1}, {"merged", 1}, {"fixed", 3}};
  REQUIRE(record->modes.size() == evaluations.size());
  const auto predictions = [&](const char* mode, std::int64_t draw) {
    return predict_targets(*model, set, 40, inference_named(mode), draw, torch::kCPU);
  };
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    const InferenceModeRecord& mode = record->modes[i];
    CAPTURE(mode.mode);
    CHECK(mode.mode == evaluations[i].first);
    CHECK(mode.evaluations == evaluations[i].second);
    CHECK(mode.deviation.has_value() == (mode.evaluations > 1));
  }
  const std::vector<double> drawn = {predictions("token", 0).nats_per_token, predictions("token", 1).nats_per_token};
  CHECK(record->modes[0].loss.value_or(0) == mean(drawn));
  CHECK(record->modes[0].deviation == sample_deviation(drawn));

  std::vector<TargetPredictions> of_expert;
  for (const char* mode : {"fixed:0", "fixed:1", "fixed:2"}) of_expert.push_back(predictions(mode, 0));
  double differing = 0, tokens = 0;
  for (const auto& [a, b] : {std::pair(0, 1), {0, 2}, {1, 2}}) {
    const auto &one = of_expert[static_cast<std::size_t>(a)].best_N,
               &other = of_expert[static_cast<std::size_t>(b)].best_N;
    for (std::size_t n = 0; n < one.size(); ++n) differing += one[n] != other[n] ? 1 : 0;
    tokens += static_cast<double>(one.size());
  }
  CHECK(differing > 0);
  CHECK(record->expert_disagreement.value_or(0) == Approx(differing / tokens).epsilon(1e-12));
}

TEST_CASE("there are no inference modes of a router that draws nothing, and one expert disagrees with nobody") {
  const EncodedSet set = tiny_pairs(9);
  const Json switches = {{"experts", 3}};
  CHECK_FALSE(inference_modes(*tiny_transformer("switch", switches), spec_of("switch", switches), set, torch::kCPU));
  const Json alone = {{"experts", 1}, {"inference", "sentence"}};
  const auto record = inference_modes(*tiny_transformer("thor", alone), spec_of("thor", alone), set, torch::kCPU);
  REQUIRE(record);
  CHECK_FALSE(record->expert_disagreement);
}

}  // namespace moe
