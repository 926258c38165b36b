// The contract of the router seam, applied to every router of the registry: a new one is covered before its own test
// exists. The tests ask the entry and the plan what a router is, never its name; what they cannot ask stands in the
// tables below.
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace moe {
namespace {

constexpr std::int64_t width = 8;

/// Options that make a router with one expert a dense layer.
const std::map<std::string, Json> dense_options = {
    {"bias_balanced", Json::object({{"score", "softmax"}})},  // a sigmoid of one logit is not 1
};

/// Routers whose one expert has another weight than 1, with any options, and why; at evaluation it is from 0 to 1.
const std::map<std::string, std::string> weighs_one_expert = {
    {"base", "the weight is the sigmoid of the affinity"},
    {"stable", "the weight is the sigmoid of the affinity"},
    {"cmr", "a gate shares each token between the experts and the shared one"},
};

/// Known answers: who has no parameters, who has some that never learn, who learns. A router may stand in none of them.
const std::set<std::string> without_parameters = {"dense", "dense-2x", "dense-wide", "hash", "random", "thor"};
const std::set<std::string> never_learns = {"frozen"};
const std::set<std::string> learns = {"switch",        "switch-paper",  "gshard", "gshard-paper", "top_k",
                                      "bias_balanced", "expert_choice", "base",   "soft",         "smoe",
                                      "stable",        "sentence",      "cmr"};

RouterContext context_of(std::int64_t layer = 0, std::uint64_t seed = 1) {
  RouterContext context{.width = width, .layer = layer, .seed = seed};
  for (std::int64_t id = 0; id < 50; ++id) context.token_counts.push_back(1000 / (id + 1));
  return context;
}

bool knows(const RouterEntry& entry, const std::string& key) {
  return entry.options_schema()["properties"].contains(key);
}

bool is_learned(Router& router) {
  for (const torch::Tensor& parameter : router.parameters()) {
    if (parameter.requires_grad()) return true;
  }
  return false;
}

/// Whether a gradient reaches the router through what the plan computes with.
bool carries_gradient(const RoutingPlan& plan) {
  return (plan.assignment.weight_M.defined() && plan.assignment.weight_M.requires_grad()) ||
         (plan.mixing.combine_GLQ.defined() && plan.mixing.combine_GLQ.requires_grad());
}

/// States that belong to a sentence and a position, so that a token brings them into any batch.
torch::Tensor states_of(const Tokens& tokens) {
  torch::Tensor x_TD = torch::empty({tokens.count(), width});
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    const RandomStream stream =
        RandomStream(99).at(tokens.sentence_T[t].item<std::int64_t>()).at(tokens.position_T[t].item<std::int64_t>());
    for (std::int64_t d = 0; d < width; ++d) x_TD[t][d] = 10 * stream.at(d).normal();
  }
  return x_TD;
}

RoutingPlan route(Router& router, const Tokens& tokens) {
  return router.route(states_of(tokens), tokens);
}

Tokens small_batch(Phase phase = Phase::train, std::int64_t padding = 1) {
  return make_tokens({{3, {5, 6, 7, 5}}, {8, {9, 5}}, {1, {4, 6, 6}}}, padding, phase);
}

void check_same_decisions(const RoutingPlan& plan, const Tokens& tokens, const RoutingPlan& other,
                          const Tokens& others) {
  const auto expected = decisions(plan, tokens);
  const auto actual = decisions(other, others);
  REQUIRE(actual.size() == expected.size());
  auto position = expected.begin();
  for (const auto& [key, weight] : actual) {
    CHECK(key == position->first);
    // The last bit of a matrix product may depend on its number of rows.
    CHECK(weight == Approx(position->second).margin(1e-6));
    ++position;
  }
}

void check_losses_agree(const torch::Tensor& one, const torch::Tensor& other) {
  REQUIRE(one.defined() == other.defined());
  if (one.defined()) CHECK(one.item<double>() == Approx(other.item<double>()).margin(1e-5));
}

}  // namespace

TEST_CASE("a plan is sorted by expert, then by row, names no padding, and its weights are finite") {
  for (const RouterEntry& entry : all_routers()) {
    for (const Phase phase : {Phase::train, Phase::evaluate}) {
      CAPTURE(entry.name, static_cast<int>(phase));
      const auto router = build(entry.name, Json::object(), context_of());
      const Tokens tokens = small_batch(phase);
      const RoutingPlan plan = route(*router, tokens);

      CHECK(plan.statistics.choice_T.ge(0).equal(tokens.valid_T));
      CHECK(plan.statistics.choice_T.lt(plan.assignment.experts()).all().item<bool>());
      CHECK(plan.assignment.experts() == router->layout().count);
      CHECK(plan.assignment.expert_offsets.host().front() == 0);
      CHECK(plan.assignment.count() == plan.assignment.token_M.size(0));
      CHECK(std::is_sorted(plan.assignment.expert_offsets.host().begin(), plan.assignment.expert_offsets.host().end()));
      if (plan.mixing.defined()) continue;  // its pairs are slots
      const torch::Tensor order_M = experts_of(plan) * tokens.count() + plan.assignment.token_M;
      CHECK((order_M.diff() > 0).all().item<bool>());
      CHECK(tokens.valid_T.index_select(0, plan.assignment.token_M).all().item<bool>());
      CHECK(weights_of(plan).sizes() == plan.assignment.token_M.sizes());
      CHECK(weights_of(plan).isfinite().all().item<bool>());
    }
  }
}

TEST_CASE("kept, dropped and skipped choices add up to the choices of the real tokens") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const Json options = knows(entry, "capacity") ? Json{{"capacity", 2}} : Json::object();
    const Tokens tokens = small_batch();
    const RoutingPlan plan = route(*build(entry.name, options, context_of()), tokens);
    const std::int64_t choices =
        plan.assignment.count() + plan.statistics.dropped_T.sum().item<std::int64_t>() + plan.statistics.skipped;
    if (!entry.batch_dependent) {  // where experts choose, a token may get any number of them
      CHECK(choices >= tokens.valid);
      CHECK(choices % tokens.valid == 0);
    }
    CHECK(plan.statistics.dropped_T.masked_select(tokens.valid_T.logical_not()).sum().item<std::int64_t>() == 0);
    if (!knows(entry, "capacity")) continue;
    for (std::int64_t e = 0; e < plan.assignment.experts() - plan.assignment.shared; ++e)
      CHECK(plan.assignment.load(e) <= 2);
  }
}

TEST_CASE("padding changes neither decisions nor losses") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const auto router = build(entry.name, Json::object(), context_of());
    const Tokens tight = small_batch(Phase::train, 0);
    const Tokens padded = small_batch(Phase::train, 5);
    const RoutingPlan plan = route(*router, tight);
    const RoutingPlan other = route(*router, padded);
    check_same_decisions(plan, tight, other, padded);
    check_losses_agree(plan.losses.balance, other.losses.balance);
    check_losses_agree(plan.losses.z, other.losses.z);

    const torch::Tensor noisy = states_of(padded).masked_fill(padded.valid_T.logical_not().unsqueeze(1), 1e4);
    check_same_decisions(plan, tight, router->route(noisy, padded), padded);
  }
}

TEST_CASE("at evaluation, the order of sentences and the other sentences of a batch change nothing") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const auto router = build(entry.name, Json::object(), context_of());
    const Tokens batch = small_batch(Phase::evaluate);
    const Tokens permuted = make_tokens({{1, {4, 6, 6}}, {3, {5, 6, 7, 5}}, {8, {9, 5}}}, 1, Phase::evaluate);
    const RoutingPlan plan = route(*router, batch);
    check_same_decisions(plan, batch, route(*router, permuted), permuted);

    if (entry.batch_dependent) continue;
    const Tokens alone = make_tokens({{8, {9, 5}}}, 0, Phase::evaluate);
    const auto together = decisions(plan, batch);
    for (const auto& [key, weight] : decisions(route(*router, alone), alone)) {
      REQUIRE(together.count(key) == 1);
      CHECK(weight == Approx(together.at(key)).margin(1e-6));
    }
  }
}

TEST_CASE("the same seed gives the same plan, call after call and router after router") {
  for (const RouterEntry& entry : all_routers()) {
    for (const Phase phase : {Phase::train, Phase::evaluate}) {
      CAPTURE(entry.name, static_cast<int>(phase));
      const auto router = build(entry.name, Json::object(), context_of());
      const Tokens tokens = small_batch(phase);
      const RoutingPlan plan = route(*router, tokens);
      CHECK(decisions(route(*router, tokens), tokens) == decisions(plan, tokens));
      CHECK(decisions(route(*build(entry.name, Json::object(), context_of()), tokens), tokens) ==
            decisions(plan, tokens));
    }
  }
}

TEST_CASE("where a router draws, its layers and steps draw differently") {
  for (const RouterEntry& entry : all_routers()) {
    if (!entry.stochastic_evaluation) continue;
    CAPTURE(entry.name);
    const auto first_choices = [&](std::int64_t layer, std::int64_t first_step) {
      const auto router = build(entry.name, Json::object(), context_of(layer));
      std::vector<std::int64_t> choices;
      for (std::int64_t step = first_step; step < first_step + 30; ++step) {
        Tokens tokens = small_batch();
        tokens.call.step = step;
        choices.push_back(route(*router, tokens).statistics.choice_T[0].item<std::int64_t>());
      }
      return choices;
    };
    CHECK(first_choices(0, 0) != first_choices(1, 0));
    CHECK(first_choices(0, 0) != first_choices(0, 30));
  }
}

TEST_CASE("a batch of padding gives an empty plan and finite losses and gradients") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const auto router = build(entry.name, Json::object(), context_of());
    Tokens tokens = small_batch();
    tokens.valid_T.fill_(false);
    tokens.valid = 0;
    const RoutingPlan plan = route(*router, tokens);
    CHECK(plan.assignment.count() == 0);
    CHECK(plan.statistics.skipped == 0);
    CHECK(plan.statistics.dropped_T.sum().item<std::int64_t>() == 0);
    for (const torch::Tensor& loss : {plan.losses.balance, plan.losses.z}) {
      if (!loss.defined()) continue;
      CHECK(loss.item<double>() == 0);
      if (loss.requires_grad()) loss.backward({}, true);
    }
    for (const torch::Tensor& parameter : router->parameters()) {
      if (parameter.grad().defined()) CHECK(parameter.grad().isfinite().all().item<bool>());
    }
  }
}

TEST_CASE("one expert gets every token, with weight 1 as a dense layer would unless it is known to weigh") {
  for (const RouterEntry& entry : all_routers()) {
    if (!knows(entry, "experts")) continue;
    CAPTURE(entry.name);
    ConfigErrors errors;
    Json request = {{"experts", 1}, {"capacity_factor", nullptr}};
    if (knows(entry, "k")) request["k"] = 1;
    if (knows(entry, "strata")) request["strata"] = 1;
    if (const auto found = dense_options.find(entry.name); found != dense_options.end()) request.update(found->second);
    const Json options = entry.resolve(request, "strategy", errors);
    const std::vector<std::string> sentences = errors.sentences();
    const bool refused = std::any_of(sentences.begin(), sentences.end(),
                                     [](const std::string& error) { return error.starts_with("strategy.experts"); });
    if (refused) continue;  // a second choice needs a second expert
    const Tokens tokens = small_batch();
    const RoutingPlan plan = route(*entry.make(options, context_of()), tokens);
    if (plan.mixing.defined()) continue;  // its expert sees slots
    CHECK(plan.assignment.count() == tokens.valid * (1 + plan.assignment.shared));
    if (weighs_one_expert.contains(entry.name)) {
      const torch::Tensor weight_M =
          weights_of(route(*entry.make(options, context_of()), small_batch(Phase::evaluate)));
      CHECK((weight_M >= 0).logical_and(weight_M <= 1).all().item<bool>());
    } else {
      CHECK(all_close(weights_of(plan), torch::ones({plan.assignment.count()}), 0));
    }
  }
}

TEST_CASE("a gate's weights bring it a gradient, and what cannot learn has no parameters") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const auto router = build(entry.name, Json::object(), context_of());
    const Tokens tokens = small_batch();
    const RoutingPlan plan = route(*router, tokens);
    CHECK(is_learned(*router) == carries_gradient(plan));
    if (!is_learned(*router)) continue;
    const torch::Tensor weight =
        plan.assignment.weight_M.defined() ? plan.assignment.weight_M : plan.mixing.combine_GLQ;
    (weight * torch::arange(weight.numel()).view(weight.sizes())).sum().backward();
    CHECK(router->parameters()[0].grad().abs().max().item<double>() > 0);
  }
  const auto built = [](const std::string& name) { return build(name, Json::object(), context_of()); };
  for (const std::string& name : without_parameters) CHECK(built(name)->parameters().empty());
  for (const std::string& name : never_learns) CHECK_FALSE(is_learned(*built(name)));
  for (const std::string& name : learns) CHECK(is_learned(*built(name)));
}

TEST_CASE("states in half precision leave weights and losses in float32") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const auto router = build(entry.name, Json::object(), context_of());
    const Tokens tokens = small_batch();
    const RoutingPlan plan = router->route(states_of(tokens).to(torch::kBFloat16), tokens);
    for (const torch::Tensor& tensor : {plan.assignment.weight_M, plan.losses.balance, plan.losses.z,
                                        plan.statistics.logit_TE, plan.statistics.probability_TE}) {
      if (tensor.defined()) CHECK(tensor.scalar_type() == torch::kFloat32);
    }
  }
}

TEST_CASE("figures are detached and of the shapes the contract gives") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const Tokens tokens = small_batch();
    const RoutingPlan plan = route(*build(entry.name, Json::object(), context_of()), tokens);
    if (plan.statistics.logit_TE.defined()) CHECK(plan.statistics.probability_TE.defined());
    for (const torch::Tensor& tensor : {plan.statistics.logit_TE, plan.statistics.probability_TE}) {
      if (!tensor.defined()) continue;
      CHECK(tensor.sizes() == torch::IntArrayRef({tokens.count(), plan.assignment.experts() - plan.assignment.shared}));
      CHECK_FALSE(tensor.requires_grad());
    }
    CHECK(plan.statistics.choice_T.sizes() == torch::IntArrayRef({tokens.count()}));
    CHECK(plan.statistics.dropped_T.sizes() == torch::IntArrayRef({tokens.count()}));
  }
}

TEST_CASE("parameters and buffers carry all that a router has learned or fixed") {
  for (const RouterEntry& entry : all_routers()) {
    if (entry.stochastic_evaluation) continue;  // its draws come from the seed of the run
    CAPTURE(entry.name);
    const auto original = build(entry.name, Json::object(), context_of(0, 1));
    const auto restored = build(entry.name, Json::object(), context_of(0, 2));
    const torch::NoGradGuard no_gradient;
    for (auto& item : restored->named_parameters()) item.value().copy_(original->named_parameters()[item.key()]);
    for (auto& item : restored->named_buffers()) item.value().copy_(original->named_buffers()[item.key()]);
    const Tokens tokens = small_batch(Phase::evaluate);
    CHECK(decisions(route(*restored, tokens), tokens) == decisions(route(*original, tokens), tokens));
  }
}

}  // namespace moe
