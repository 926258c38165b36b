// Expert choice (Zhou et al. 2022): each expert takes the C tokens that score highest for it, so loads are even by
// construction, and a token gets any number of experts, none included. What an expert takes depends on every token of
// the group, the later ones too: in the decoder that would let a position see its own future, so there another router
// stands in its place.
#include "routers/choices.h"
#include "routers/decoder_router.h"
#include "routers/gating.h"
#include "routers/slots.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

// Legend: T tokens, D width, E experts.

namespace moe {
namespace {

/// What the softmax of the logits goes over.
enum class SoftmaxOver { experts, tokens };
constexpr auto softmaxes =
    std::to_array<Choice<SoftmaxOver>>({{"experts", SoftmaxOver::experts}, {"tokens", SoftmaxOver::tokens}});

struct ExpertChoiceOptions {
  std::int64_t experts = 4;
  double capacity_factor = 1;
  std::optional<std::int64_t> capacity;
  std::string group = "batch";
  std::string score = "experts";
  bool share = false;
  std::string decoder = "switch";

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "capacity_factor",
                   .help = "mean number of experts of a token: each expert takes this times tokens / experts",
                   .minimum = 0,
                   .above_minimum = true},
                  capacity_factor);
    visitor.field({.key = "capacity", .help = "tokens that an expert takes; null: by the factor", .minimum = 1},
                  capacity);
    visitor.field(
        {.key = "group", .help = "which tokens an expert takes its best from", .choices = rule_names(groupings)},
        group);
    visitor.field({.key = "score",
                   .help = "softmax of a token's logits over the experts, as flaxformer and V-MoE have it, or of an "
                           "expert's over the tokens of the group, as Mesh TensorFlow has it",
                   .choices = rule_names(softmaxes)},
                  score);
    visitor.field({.key = "share",
                   .help = "divide a token's weights by the number of experts that took it, as Mesh TensorFlow does"},
                  share);
    visitor.field({.key = "decoder",
                   .help = "in the decoder: another router with as many experts, or experts that choose among the "
                           "tokens of one position (per_step); never the whole group, which would show the future",
                   .choices = {"switch", "gshard", "hash", "random", "per_step"}},
                  decoder);
  }

  CapacityOptions slots() const {
    return {.capacity_factor = capacity_factor,
            .capacity = capacity,
            .minimum_capacity = {},
            .evaluation_capacity_factor = capacity_factor,
            .group = group};
  }
};

/// Rows of the valid tokens of each group.
using Members = std::vector<std::vector<std::int64_t>>;

Members members_of(const Groups& groups, const Tokens& tokens) {
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  Members members(groups.valid_tokens.size());
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (valid[t]) members[static_cast<std::size_t>(groups.of_token[static_cast<std::size_t>(t)])].push_back(t);
  }
  return members;
}

/// Softmax over the valid tokens of each group, [T, E]; 0 for padding.
torch::Tensor softmax_over_tokens(const torch::Tensor& logit_TE, const Members& members) {
  torch::Tensor score_TE = torch::zeros_like(logit_TE);
  for (const std::vector<std::int64_t>& group : members) {
    const torch::Tensor row = torch::tensor(group, torch::kInt64).to(logit_TE.device());
    score_TE = score_TE.index_add(0, row, logit_TE.index_select(0, row).softmax(0));
  }
  return score_TE;
}

/// Each expert's best tokens of each group as choices [T, E]: column e holds e or -1. Equal scores go to the lower row.
torch::Tensor best_tokens(const torch::Tensor& score_TE, const Capacity& slots, const Members& members, Phase phase) {
  const torch::Tensor precise_TE = score_TE.detach().to(torch::kCPU, torch::kFloat64);
  const auto score = precise_TE.accessor<double, 2>();
  torch::Tensor expert_TE = torch::full(score_TE.sizes(), -1, torch::kInt64);
  auto expert = expert_TE.accessor<std::int64_t, 2>();
  for (const std::vector<std::int64_t>& group : members) {
    const auto size = static_cast<std::int64_t>(group.size());
    const std::int64_t taken = capacity_of(slots, phase, 1, size, score_TE.size(1)).value_or(size);
    for (std::int64_t e = 0; e < score_TE.size(1); ++e) {
      std::vector<std::int64_t> best = group;
      std::partial_sort(best.begin(), best.begin() + taken, best.end(), [&](std::int64_t a, std::int64_t b) {
        return score[a][e] != score[b][e] ? score[a][e] > score[b][e] : a < b;
      });
      for (std::int64_t i = 0; i < taken; ++i) expert[best[static_cast<std::size_t>(i)]][e] = e;
    }
  }
  return expert_TE;
}

class ExpertChoiceRouter : public Router {
 public:
  ExpertChoiceRouter(const ExpertChoiceOptions& options, const RouterContext& context)
      : options_(options),
        slots_(options.slots()),
        softmax_over_(choice_named(softmaxes, options.score)),
        context_(context),
        gate_ED_(register_parameter("weight", make_gate_weight(options.experts, context))) {}

  ExpertLayout layout() const override {
    const auto mean_experts = std::llround(options_.capacity_factor);
    return {.count = options_.experts, .active = std::max<std::int64_t>(1, mean_experts)};
  }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const GateScores scores = softmax_gate(x_TD, gate_ED_, {}, context_, tokens);
    const Members members = members_of(groups_of(tokens), tokens);
    const torch::Tensor score_TE =
        softmax_over_ == SoftmaxOver::experts ? scores.probability_TE : softmax_over_tokens(scores.logit_TE, members);
    const torch::Tensor expert_TE = best_tokens(score_TE, slots_, members, tokens.call.phase);
    torch::Tensor weight_TE = score_TE;
    if (options_.share) {
      const torch::Tensor experts_T1 = (expert_TE >= 0).sum(1, true).clamp_min(1);
      weight_TE = score_TE / experts_T1.to(score_TE.device());
    }
    RoutingPlan plan = make_plan(expert_TE, {}, weight_TE, options_.experts, x_TD.device());
    plan.statistics.choice_T = best_experts(scores.logit_TE, 1, tokens).squeeze(1);
    record_gate(scores, tokens, plan);
    return plan;
  }

 private:
  /// In the decoder (per_step) a group is a position: its tokens are all there when the step is computed.
  Groups groups_of(const Tokens& tokens) const {
    if (context_.stack == Stack::encoder) return make_groups(slots_.group, tokens);
    Groups groups;
    const auto valid = tokens.valid_T.accessor<bool, 1>();
    const auto position = tokens.position_T.accessor<std::int64_t, 1>();
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      const auto group = static_cast<std::size_t>(position[t]);
      if (groups.valid_tokens.size() <= group) groups.valid_tokens.resize(group + 1, 0);
      groups.of_token.push_back(position[t]);
      groups.valid_tokens[group] += valid[t] ? 1 : 0;
    }
    return groups;
  }

  ExpertChoiceOptions options_;
  Capacity slots_;
  SoftmaxOver softmax_over_;
  RouterContext context_;
  torch::Tensor gate_ED_;
};

}  // namespace

RouterEntry expert_choice_router() {
  RouterEntry entry = make_router_entry<ExpertChoiceRouter, ExpertChoiceOptions>(
      "expert_choice", "each expert takes its best tokens, in the encoder; another router in the decoder",
      "Zhou et al. 2022, Mixture-of-Experts with Expert Choice Routing (arXiv 2202.09368)", Json::object());
  entry.batch_dependent = true;
  entry.revision = 2;
  return with_decoder_router(std::move(entry), [](const Json& options) {
    const auto decoder = options["decoder"].get<std::string>();
    return decoder == "per_step" ? "" : decoder;
  });
}

}  // namespace moe
