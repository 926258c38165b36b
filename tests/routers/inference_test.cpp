#include "routers/inference.h"

#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

std::vector<std::string> errors_of(const std::string& inference, std::int64_t experts) {
  ConfigErrors errors;
  check_inference(inference, experts, "strategy.inference", errors);
  return errors.sentences();
}

torch::Tensor choices(const std::string& inference, const Tokens& tokens, std::int64_t experts = 1000) {
  return inference_plan(inference_named(inference), experts, StreamTag::thor_inference, {}, tokens, torch::kCPU)
      .statistics.choice_T;
}

}  // namespace

TEST_CASE("every mode is known, and others are errors that name the allowed ones") {
  for (const char* mode : {"token", "sentence", "position_shared", "mean", "merged", "fixed:0", "fixed:3"}) {
    CHECK(errors_of(mode, 4).empty());
  }
  CHECK(errors_of("sentense", 4) ==
        std::vector<std::string>{"strategy.inference: \"sentense\" is not known; allowed is one of token, sentence, "
                                 "position_shared, mean, merged, fixed:E."});
  for (const char* mode : {"fixed:4", "fixed:-1", "fixed:", "fixed:1x"}) {
    REQUIRE(errors_of(mode, 4).size() == 1);
    CHECK(errors_of(mode, 4)[0] == std::string("strategy.inference: \"") + mode +
                                       "\" names no expert; with 4 experts, allowed is fixed:0 to fixed:3.");
  }
}

TEST_CASE("all modes but mean, merged and fixed draw") {
  for (const char* mode : {"token", "sentence", "position_shared", "resample"}) CHECK(is_stochastic(mode));
  for (const char* mode : {"mean", "merged", "fixed:2"}) CHECK_FALSE(is_stochastic(mode));
}

TEST_CASE("token draws for each position of each sentence") {
  const torch::Tensor choice_T = choices("token", make_tokens({{0, {1, 1, 1}}, {1, {1, 1, 1}}}, 0, Phase::evaluate));
  CHECK(std::get<0>(at::_unique(choice_T)).numel() == 6);  // of 1000 experts
}

TEST_CASE("sentence draws once for a sentence, its steps and its beams") {
  const Tokens tokens = make_tokens({{7, {1, 1, 1}}, {7, {1, 2}}, {8, {1, 1, 1}}}, 0, Phase::evaluate);
  const torch::Tensor choice_T = choices("sentence", tokens);
  const auto seven = choice_T[0].item<std::int64_t>();
  const auto eight = choice_T[6].item<std::int64_t>();
  CHECK(seven != eight);
  CHECK(choice_T.equal(torch::tensor({seven, seven, seven, seven, seven, std::int64_t{-1}, eight, eight, eight})));

  Tokens step = make_tokens({{7, {1}}}, 0, Phase::evaluate);  // a decoder asks for one position at a time
  step.position_T.fill_(20);
  CHECK(choices("sentence", step)[0].item<std::int64_t>() == seven);
}

TEST_CASE("position_shared draws once for a position of all sentences") {
  const torch::Tensor choice_T =
      choices("position_shared", make_tokens({{0, {1, 1}}, {5, {1, 1}}}, 0, Phase::evaluate));
  CHECK(choice_T[0].equal(choice_T[2]));
  CHECK(choice_T[1].equal(choice_T[3]));
  CHECK_FALSE(choice_T[0].equal(choice_T[1]));
}

TEST_CASE("fixed takes one expert, mean all of them with equal weight") {
  const Tokens tokens = make_tokens({{0, {1, 1, 1}}, {1, {1}}}, 0, Phase::evaluate);
  const RoutingPlan fixed =
      inference_plan(inference_named("fixed:2"), 4, StreamTag::thor_inference, {}, tokens, torch::kCPU);
  CHECK(fixed.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 0, 0, 4, 4});
  const RoutingPlan mean =
      inference_plan(inference_named("mean"), 4, StreamTag::thor_inference, {}, tokens, torch::kCPU);
  CHECK(mean.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 4, 8, 12, 16});
  CHECK(all_close(mean.assignment.weight_M, torch::full({16}, .25), 0));
  CHECK(all_close(combine(mean, 6), torch::tensor({2.5, 2.5, 2.5, 2.5, 0., 0.}), 1e-6));  // (1 + 2 + 3 + 4) / 4
}

TEST_CASE("another draw number is another draw") {
  Tokens tokens = one_sentence(5, Phase::evaluate);
  const torch::Tensor first = choices("token", tokens);
  CHECK(choices("token", tokens).equal(first));
  tokens.call.sample = 1;
  CHECK_FALSE(choices("token", tokens).equal(first));
}

TEST_CASE("draws of a batch are one expert for all") {
  const Tokens tokens = make_tokens({{0, {1, 1, 1}}, {1, {1}}});
  const torch::Tensor expert_T1 = draw_experts(DrawFor::batch, 1000, RandomStream(3), tokens);
  CHECK(std::get<0>(at::_unique(expert_T1.index({tokens.valid_T}))).numel() == 1);
  CHECK(expert_T1[5].item<std::int64_t>() == -1);
}

}  // namespace moe
