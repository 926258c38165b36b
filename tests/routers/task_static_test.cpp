#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tokens.h"

namespace moe {

TEST_CASE("each direction has an expert of its own, and there is none for a direction that is not known") {
  Tokens tokens = make_tokens({{0, {5, 6}}, {1, {7}}, {2, {8, 9}}});
  tokens.direction_T = torch::tensor({4, 4, 1, 1, 0, 0}, torch::kInt64);
  const auto router = build("task_static", {{"experts", 3}}, {.width = 2, .directions = 5});
  const RoutingPlan plan = router->route(torch::zeros({6, 2}), tokens);
  CHECK(plan.statistics.choice_T.equal(torch::tensor({1, 1, 1, -1, 0, 0}, torch::kInt64)));
  CHECK_FALSE(plan.assignment.weight_M.defined());

  const auto narrow = build("task_static", {{"experts", 3}}, {.width = 2, .directions = 4});
  CHECK_THROWS_WITH(narrow->route(torch::zeros({6, 2}), tokens),
                    "Direction 4 is not one of the 4 that this router knows.");
}

}  // namespace moe
