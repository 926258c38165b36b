#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tokens.h"

namespace moe {

TEST_CASE("dense routers differ only in the width of their one expert") {
  const auto width_factor = [](const std::string& name, const Json& options = Json::object()) {
    const ExpertLayout layout = build(name, options)->layout();
    CHECK(layout.count == 1);
    return layout.width_factor;
  };
  CHECK(width_factor("dense") == 1);
  CHECK(width_factor("dense-2x") == 2);
  CHECK(width_factor("dense-wide") == 4);
  CHECK(width_factor("dense-wide", {{"experts", 16}}) == 16);
}

TEST_CASE("a dense router sends every real token to its one expert with weight 1") {
  const Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {8}}});
  const RoutingPlan plan = build("dense")->route(torch::zeros({6, 3}), tokens);
  CHECK(plan.assignment.token_M.equal(torch::tensor({0, 1, 2, 3}, torch::kInt64)));
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 4});
  CHECK_FALSE(plan.assignment.weight_M.defined());
  CHECK_FALSE(plan.losses.balance.defined());
  CHECK_FALSE(plan.losses.z.defined());
  CHECK_FALSE(plan.statistics.probability_TE.defined());
}

TEST_CASE("only the wide one has an option") {
  CHECK(find_router("dense").list_options().empty());
  CHECK(find_router("dense-2x").list_options().empty());
  CHECK(find_router("dense-wide").list_options().size() == 1);
}

}  // namespace moe
