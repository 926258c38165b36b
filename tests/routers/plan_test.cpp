#include "routers/plan.h"

#include "core/error.h"
#include "core/random.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

CapacityOptions with_factor(double factor) {
  CapacityOptions options;
  options.capacity_factor = factor;
  return options;
}

CapacityOptions with_slots(std::int64_t slots, const std::string& group = "batch") {
  CapacityOptions options;
  options.capacity = slots;
  options.group = group;
  return options;
}

/// The definition of fill_slots word by word. `count_dropped` tells whether an earlier choice that found no slot still
/// moves later ones on (as in fairseq and DeepSpeed) or not (as in Mesh-TF): every decision is the same.
torch::Tensor fill_slots_slowly(const torch::Tensor& expert_TK, std::int64_t experts, const CapacityOptions& options,
                                const Tokens& tokens, bool count_dropped) {
  const Groups groups = make_groups(options.group, tokens);
  torch::Tensor kept_TK = torch::zeros(expert_TK.sizes(), torch::kBool);
  struct Earlier {
    std::int64_t group, expert;
    bool kept;
  };
  std::vector<Earlier> earlier;
  for (std::int64_t k = 0; k < expert_TK.size(1); ++k) {
    for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
      const auto expert = expert_TK[t][k].item<std::int64_t>();
      if (expert < 0) continue;
      const std::int64_t group = groups.of_token[static_cast<std::size_t>(t)];
      const auto ahead = std::count_if(earlier.begin(), earlier.end(), [&](const Earlier& other) {
        return other.group == group && other.expert == expert && (count_dropped || other.kept);
      });
      const auto capacity = capacity_of(options, tokens.phase, expert_TK.size(1),
                                        groups.valid_tokens[static_cast<std::size_t>(group)], experts);
      const bool kept = !capacity || ahead < *capacity;
      kept_TK[t][k] = kept;
      earlier.push_back({group, expert, kept});
    }
  }
  return kept_TK;
}

/// K different experts for each valid token, a later choice sometimes missing.
torch::Tensor random_choices(std::int64_t choices, std::int64_t experts, const Tokens& tokens, RandomStream stream) {
  torch::Tensor expert_TK = torch::full({tokens.count(), choices}, -1, torch::kInt64);
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!tokens.valid_T[t].item<bool>()) continue;
    const std::int64_t first = stream.at(t).below(experts);
    for (std::int64_t k = 0; k < choices; ++k) {
      if (k > 0 && stream.at(t).at(k).below(4) == 0) continue;
      expert_TK[t][k] = (first + k) % experts;
    }
  }
  return expert_TK;
}

}  // namespace

TEST_CASE("the capacity is the ceiling of the even share times the factor") {
  CHECK(capacity_of(with_factor(1.25), Phase::train, 1, 10, 4) == 4);  // 3.125
  CHECK(capacity_of(with_factor(1.25), Phase::train, 2, 10, 4) == 7);  // 6.25
  CHECK(capacity_of(with_factor(1.0), Phase::train, 1, 10, 4) == 3);   // 2.5
  CHECK(capacity_of(with_factor(1.1), Phase::train, 1, 20, 2) == 11);  // 11.000000000000002 in floating point
  CHECK(capacity_of(with_factor(1.0), Phase::train, 2, 6, 3) == 4);    // exactly 4
  CHECK(capacity_of(with_factor(9.0), Phase::train, 1, 10, 4) == 10);  // never more than there are tokens
  CHECK(capacity_of(with_factor(1.25), Phase::train, 1, 0, 4) == 0);
}

TEST_CASE("without a factor there is no limit, and evaluation has its own factor") {
  CHECK(capacity_of({}, Phase::train, 1, 10, 4) == std::nullopt);
  CHECK(capacity_of(with_factor(1.25), Phase::evaluate, 1, 10, 4) == std::nullopt);
  CapacityOptions options = with_factor(1.25);
  options.evaluation_capacity_factor = 2.0;
  CHECK(capacity_of(options, Phase::evaluate, 1, 10, 4) == 5);
}

TEST_CASE("a minimum lifts what a factor gives, and slots given outright hold in both phases") {
  CapacityOptions options = with_factor(1.25);
  options.minimum_capacity = 8;
  CHECK(capacity_of(options, Phase::train, 1, 10, 4) == 8);
  CHECK(capacity_of(options, Phase::train, 1, 6, 4) == 6);
  options.capacity = 2;
  CHECK(capacity_of(options, Phase::train, 1, 10, 4) == 2);
  CHECK(capacity_of(options, Phase::evaluate, 1, 10, 4) == 2);
}

TEST_CASE("groups are the batch or its sentences, and count valid tokens alone") {
  const Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {8}}});
  CHECK(make_groups("batch", tokens).of_token == std::vector<std::int64_t>{0, 0, 0, 0, 0, 0});
  CHECK(make_groups("batch", tokens).valid_tokens == std::vector<std::int64_t>{4});
  CHECK(make_groups("sentence", tokens).of_token == std::vector<std::int64_t>{0, 0, 0, 1, 1, 1});
  CHECK(make_groups("sentence", tokens).valid_tokens == std::vector<std::int64_t>{3, 1});
}

TEST_CASE("an expert keeps its first C choices in token order") {
  const torch::Tensor expert_T1 = torch::tensor({0, 0, 1, 0, 2, 0}, torch::kInt64).unsqueeze(1);
  const torch::Tensor kept_T1 = fill_slots(expert_T1, 3, with_slots(2), one_sentence(6));
  CHECK(kept_T1.squeeze(1).equal(torch::tensor({true, true, true, false, true, false})));
}

TEST_CASE("all first choices come before any second choice") {
  // Expert 1 has one slot: the first choice of the last token takes it from the second choice of the first one.
  const torch::Tensor expert_TK = torch::tensor({{0, 1}, {1, 0}}, torch::kInt64);
  const torch::Tensor kept_TK = fill_slots(expert_TK, 2, with_slots(1), one_sentence(2));
  CHECK(kept_TK.equal(torch::tensor({{true, false}, {true, false}})));
}

TEST_CASE("with sentences as groups each sentence has its own slots, by its own length") {
  const Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {8}}});
  const torch::Tensor expert_T1 = torch::tensor({0, 0, 0, 0, -1, -1}, torch::kInt64).unsqueeze(1);
  CHECK(fill_slots(expert_T1, 2, with_slots(2, "sentence"), tokens)
            .squeeze(1)
            .equal(torch::tensor({true, true, false, true, false, false})));
  CapacityOptions options = with_factor(1.0);  // ceil(3 / 2) = 2 and ceil(1 / 2) = 1 slots
  options.group = "sentence";
  CHECK(fill_slots(expert_T1, 2, options, tokens)
            .squeeze(1)
            .equal(torch::tensor({true, true, false, true, false, false})));
}

TEST_CASE("filling slots agrees with its definition, and counting dropped choices or not makes no difference") {
  for (std::int64_t trial = 0; trial < 200; ++trial) {
    const RandomStream stream = RandomStream(7).at(trial);
    const std::int64_t experts = 1 + stream.at(0).below(5);
    const std::int64_t choices = 1 + stream.at(1).below(std::min<std::int64_t>(3, experts));
    std::vector<TestSentence> sentences;
    for (std::int64_t row = 0; row < 3; ++row) {
      sentences.push_back({row, std::vector<std::int64_t>(static_cast<std::size_t>(stream.at(2).at(row).below(7)), 5)});
    }
    const Tokens tokens = make_tokens(sentences, 1);
    CapacityOptions options = with_factor(0.25 + stream.at(3).uniform() * 1.5);
    if (stream.at(4).below(2) == 0) options.group = "sentence";
    const torch::Tensor expert_TK = random_choices(choices, experts, tokens, stream.at(5));

    const torch::Tensor kept_TK = fill_slots(expert_TK, experts, options, tokens);
    CAPTURE(trial);
    REQUIRE(kept_TK.equal(fill_slots_slowly(expert_TK, experts, options, tokens, true)));
    REQUIRE(kept_TK.equal(fill_slots_slowly(expert_TK, experts, options, tokens, false)));
  }
}

TEST_CASE("a plan is sorted by expert, then by row, and carries weights with their gradient") {
  const torch::Tensor expert_TK = torch::tensor({{1, 0}, {-1, -1}, {2, 1}, {0, 2}}, torch::kInt64);
  const torch::Tensor kept_TK = torch::tensor({{true, true}, {false, false}, {true, false}, {true, true}});
  const torch::Tensor weight_TK =
      torch::tensor({{.1, .2}, {.3, .4}, {.5, .6}, {.7, .8}}, torch::kFloat32).requires_grad_(true);
  const RoutingPlan plan = make_plan(expert_TK, kept_TK, weight_TK, 4, torch::kCPU);

  CHECK(plan.expert_offsets == std::vector<std::int64_t>{0, 2, 3, 5, 5});
  CHECK(plan.experts() == 4);
  CHECK(plan.load(0) == 2);
  CHECK(plan.load(3) == 0);
  CHECK(plan.token_M.equal(torch::tensor({0, 3, 0, 2, 3}, torch::kInt64)));
  CHECK(all_close(plan.weight_M, torch::tensor({.2, .7, .1, .5, .8}), 1e-7));
  CHECK(plan.choice_T.equal(torch::tensor({1, -1, 2, 0}, torch::kInt64)));
  CHECK(plan.dropped_T.equal(torch::tensor({0, 0, 1, 0}, torch::kInt64)));

  (plan.weight_M * torch::tensor({1., 2., 3., 4., 5.})).sum().backward();
  CHECK(all_close(weight_TK.grad(), torch::tensor({{3., 1.}, {0., 0.}, {4., 0.}, {2., 5.}}), 0));
}

TEST_CASE("without a mask all choices are kept, without weights all are 1") {
  const RoutingPlan plan = make_plan(torch::tensor({{1}, {-1}, {0}}, torch::kInt64), {}, {}, 2, torch::kCPU);
  CHECK(plan.token_M.equal(torch::tensor({2, 0}, torch::kInt64)));
  CHECK_FALSE(plan.weight_M.defined());
  CHECK(plan.dropped_T.sum().item<std::int64_t>() == 0);
}

TEST_CASE("an expert that does not exist is an error") {
  CHECK_THROWS_WITH(make_plan(torch::tensor({{0}, {2}}, torch::kInt64), {}, {}, 2, torch::kCPU),
                    "Token 1 is routed to expert 2 of 2.");
}

TEST_CASE("sending all to one expert leaves padding out") {
  const Tokens tokens = make_tokens({{0, {5, 6}}, {1, {8}}});
  CHECK(all_to(3, tokens).equal(torch::tensor({{3}, {3}, {3}, {-1}}, torch::kInt64)));
}

}  // namespace moe
