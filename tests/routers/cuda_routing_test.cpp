// The routing steps that have a CUDA side, on a GPU against the CPU; without a GPU they say so and check nothing.
#include "routers/gating.h"
#include "routers/plan.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tokens.h"

#include <torch/cuda.h>
#include <torch/types.h>

namespace moe {
namespace {

bool has_gpu() {
  if (torch::cuda::is_available()) return true;
  WARN("There is no GPU: nothing was checked.");
  return false;
}

}  // namespace

TEST_CASE("the best experts on this GPU are the CPU's, ties and padding included", "[cuda]") {
  if (!has_gpu()) return;
  const std::int64_t experts = GENERATE(3, 8, 65), choices = GENERATE(1, 2, 3);
  Tokens tokens = one_sentence(301);
  make_padding(tokens, 17);
  const torch::Tensor score_TE = (4 * noise({301, experts}, 0)).round();  // with ties
  CHECK(best_experts(score_TE.cuda(), choices, tokens).equal(best_experts(score_TE, choices, tokens)));
}

TEST_CASE("plans made on this GPU are the CPU's", "[cuda]") {
  if (!has_gpu()) return;
  constexpr std::int64_t tokens = 601, experts = 5;
  const std::int64_t choices = GENERATE(1, 2);
  const torch::Tensor expert_TK = random_indices({tokens, choices}, 0, experts + 1) - 1;
  const torch::Tensor kept_TK = expert_TK.ge(0).logical_and(random_indices({tokens, choices}, 1, 4).gt(0));
  const torch::Tensor weight_TK = uniform_noise({tokens, choices}, 2);
  const RoutingPlan expected = make_plan(expert_TK, kept_TK, weight_TK, experts, torch::kCPU);
  const RoutingPlan plan = make_plan(expert_TK, kept_TK, weight_TK.cuda(), experts, torch::kCUDA);
  CHECK(plan.assignment.token_M.cpu().equal(expected.assignment.token_M));
  CHECK(plan.assignment.weight_M.cpu().equal(expected.assignment.weight_M));
  CHECK(plan.assignment.expert_offsets.host() == expected.assignment.expert_offsets.host());
}

TEST_CASE("a plan without tokens is made on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  const RoutingPlan plan = make_plan(torch::empty({0, 1}, torch::kInt64), {}, {}, 2, torch::kCUDA);
  CHECK(plan.assignment.token_M.numel() == 0);
}

}  // namespace moe
