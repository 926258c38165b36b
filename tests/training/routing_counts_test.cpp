#include "training/routing_counts.h"

#include "tests/support/catch.h"
#include "tests/support/tokens.h"
#include "tests/training/fixture.h"
#include "training/evaluation.h"

#include <torch/types.h>

namespace moe {
namespace {

using Table = std::vector<std::vector<std::int64_t>>;

RoutingPlan plan_of(const torch::Tensor& expert_TK, std::int64_t experts) {
  return make_plan(expert_TK, {}, {}, experts, torch::kCPU);
}

}  // namespace

TEST_CASE("two experts of a token are counted once for it, in both halves of the table") {
  RoutingCounts counts;
  const Tokens tokens = one_sentence(3);
  add_plan(plan_of(torch::tensor({{0, 1}, {1, 2}, {1, 0}}, torch::kInt64), 3), tokens, 1, counts);
  CHECK(counts.together == Table{{0, 2, 0}, {2, 0, 1}, {0, 1, 0}});
  CHECK(counts.load == std::vector<std::int64_t>{2, 3, 1});
  add_plan(plan_of(torch::tensor({{0, 1}}, torch::kInt64), 3), one_sentence(1), 1, counts);
  CHECK(counts.together == Table{{0, 3, 0}, {3, 0, 1}, {0, 1, 0}});
}

TEST_CASE("a token that no expert took is fully dropped, though no choice of its own was") {
  RoutingCounts counts;
  add_plan(plan_of(torch::tensor({{0, 1}, {-1, -1}}, torch::kInt64), 2), one_sentence(2), 1, counts);
  CHECK(counts.dropped == 0);
  CHECK(counts.fully_dropped == 1);
}

// Token 0 meets 0, 1 and then 1, 2; token 1 meets 1 and 2 twice; token 2 leaves after 0 and 2.
TEST_CASE("an expert that a token meets in two passes is counted once with each other, and once on the diagonal") {
  RoutingCounts counts;
  const Tokens tokens = one_sentence(3);
  const RoutingPlan first = plan_of(torch::tensor({{0, 1}, {1, 2}, {0, 2}}, torch::kInt64), 3);
  const RoutingPlan second = plan_of(torch::tensor({{1, 2}, {2, 1}, {-1, -1}}, torch::kInt64), 3);
  add_plan(join_rounds(first, second), tokens, 1, counts);
  CHECK(counts.load == std::vector<std::int64_t>{2, 4, 4});
  CHECK(counts.together == Table{{0, 1, 2}, {1, 2, 2}, {2, 2, 1}});
  CHECK(counts.tokens == 3);
  CHECK(counts.choices == 10);
}

TEST_CASE("whatever a router does, no two experts have more tokens in common than there are") {
  const EncodedSet set = tiny_pairs(20, 2);
  for (const RouterEntry& entry : all_routers()) {
    if (entry.needs_labels) continue;
    for (const std::uint64_t seed : {1, 2, 3}) {
      CAPTURE(entry.name, seed);
      const auto model = tiny_transformer(entry.name, Json::object(), tiny_model_settings(), 2, seed);
      for (const RoutingCounts& counts : evaluate_set(*model, set, 2, 60, 0, torch::kCPU).routing) {
        for (const auto& row : counts.together) {
          for (const std::int64_t tokens : row) CHECK(tokens <= counts.tokens);
        }
      }
    }
  }
}

}  // namespace moe
