// Batches without tokens, through every router with every value of its options: without sentences, and with sentences
// of no token.
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tokens.h"

#include <torch/types.h>

namespace moe {
namespace {

constexpr std::int64_t state_width = 8;

/// Options that have no list of values.
const std::vector<Json> further_options = {{{"experts", 1}},
                                           {{"experts", 1}, {"k", 1}},
                                           {{"experts", 1}, {"k", 1}, {"strata", 1}},
                                           {{"capacity", 2}},
                                           {{"capacity_factor", 1.0}},
                                           {{"jitter", 0.1}},
                                           {{"noise", 1.0}},
                                           {{"second_place_loss", 0.5}},
                                           {{"expert_output_masking", 0.2}},
                                           {{"expert_output_masking", 0.2}, {"masked_outputs", "elements"}},
                                           {{"expert_groups", 2}, {"groups_per_token", 1}},
                                           {{"expert_groups", 2}, {"groups_per_token", 1}, {"k", 1}},
                                           {{"hashes", 2}},
                                           {{"stage_updates", 0}},
                                           {{"share", true}},
                                           {{"residual", true}, {"sublayers", 2}},
                                           {{"inference", "mean"}},
                                           {{"inference", "merged"}},
                                           {{"inference", "fixed:1"}},
                                           {{"inference", "sentence"}}};

/// The defaults, then each value of each option that is one of a list, then the further ones; what the router refuses
/// is left out.
std::vector<Json> variants(const RouterEntry& entry) {
  std::vector<Json> requests = {Json::object()};
  const Json schemas = entry.options_schema()["properties"];
  for (const auto& [key, schema] : schemas.items()) {
    for (const Json& value : schema.value("enum", Json::array())) requests.push_back({{key, value}});
  }
  requests.insert(requests.end(), further_options.begin(), further_options.end());
  std::vector<Json> resolved;
  for (Json request : requests) {
    for (const char* group : {"batch", "sentence"}) {
      request["group"] = group;
      ConfigErrors errors;
      Json options = entry.resolve(request, "strategy", errors);
      if (!errors.empty()) {  // a router without groups
        request.erase("group");
        errors = {};
        options = entry.resolve(request, "strategy", errors);
      }
      if (errors.empty()) resolved.push_back(options);
    }
  }
  return resolved;
}

void check_nothing_happens(const RouterEntry& entry, const Json& options, Stack stack, const Tokens& tokens) {
  CAPTURE(entry.name, options.dump(), static_cast<int>(stack), tokens.rows, static_cast<int>(tokens.call.phase));
  const RouterContext context{.width = state_width, .stack = stack, .token_counts = {5, 4, 3, 2, 1}};
  const auto router = entry.make(options, context);
  const torch::Tensor x_TD = torch::zeros({0, state_width}).requires_grad_(true);
  const RoutingPlan plan = router->route(x_TD, tokens);
  CHECK(plan.assignment.count() == 0);
  CHECK(plan.statistics.skipped == 0);
  CHECK(plan.assignment.token_M.numel() == 0);
  CHECK(plan.statistics.choice_T.sizes() == torch::IntArrayRef({0}));
  CHECK(plan.statistics.dropped_T.sizes() == torch::IntArrayRef({0}));
  for (const torch::Tensor& loss : {plan.losses.balance, plan.losses.z, plan.losses.own}) {
    if (!loss.defined()) continue;
    CHECK(loss.item<double>() == 0);
    if (loss.requires_grad()) loss.backward({}, /*keep_graph=*/true);
  }
  for (const torch::Tensor& parameter : router->parameters()) {
    if (parameter.grad().defined()) CHECK(parameter.grad().isfinite().all().item<bool>());
  }
}

}  // namespace

TEST_CASE("no tokens make an empty plan and losses of 0, whatever the router and its options") {
  for (const RouterEntry& entry : all_routers()) {
    const std::vector<Json> of_entry = variants(entry);
    CHECK(!of_entry.empty());
    for (const Json& options : of_entry) {
      for (const auto& sentences : {std::vector<TestSentence>{}, std::vector<TestSentence>{{3, {}}, {8, {}}}}) {
        for (const Phase phase : {Phase::train, Phase::evaluate}) {
          for (const Stack stack : {Stack::encoder, Stack::decoder}) {
            Tokens tokens = make_tokens(sentences, 0, phase);
            if (stack == Stack::decoder) tokens.memory_RD = torch::zeros({tokens.rows, state_width});
            check_nothing_happens(entry, options, stack, tokens);
          }
        }
      }
    }
  }
}

}  // namespace moe
