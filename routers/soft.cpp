// Soft MoE (Puigcerver et al. 2023): no choice at all. Each expert has slots; a slot's input is a weighted mean of all
// tokens of the group (dispatch), a token's output a weighted mean of all slots' outputs (combine), and both weights
// come from the cosine of token and slot times a learned scale. A slot mixes later tokens into earlier ones, so the
// decoder has another router in its place.
#include "routers/capacity.h"
#include "routers/decoder_router.h"
#include "routers/gating.h"
#include "routers/router.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>

// Legend: T tokens, D width, E experts, P slots of an expert, Q = E P, G groups of L rows each.

namespace moe {
namespace {

constexpr double smallest_norm = 1e-6;

struct SoftOptions {
  std::int64_t experts = 4;
  std::int64_t slots = 8;
  std::string group = "batch";
  std::string decoder = "switch";

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "slots", .help = "slots of an expert in a group", .minimum = 1}, slots);
    visitor.field({.key = "group",
                   .help = "which tokens are mixed: those of the whole batch, or each sentence by itself, which keeps "
                           "translations apart",
                   .choices = rule_names(groupings)},
                  group);
    visitor.field({.key = "decoder",
                   .help = "router of the decoder, where mixing would show the future",
                   .choices = {"switch", "gshard", "hash", "random"}},
                  decoder);
  }
};

torch::Tensor unit_rows(const torch::Tensor& rows) {
  return rows / (rows.norm(2, {-1}, true) + smallest_norm);
}

class SoftRouter : public Router {
 public:
  SoftRouter(const SoftOptions& options, const RouterContext& context)
      : options_(options), group_(choice_named(groupings, options.group)), context_(context) {
    const torch::Tensor slot_QD =
        make_router_weight(options.experts * options.slots, context.width, 1, "slots", context);
    slot_EPD_ = register_parameter("slots", slot_QD.view({options.experts, options.slots, context.width}));
    scale_ = register_parameter("scale", torch::ones({1}));
  }

  ExpertLayout layout() const override { return {.count = options_.experts}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const std::int64_t G = group_ == Grouping::sentence ? std::max<std::int64_t>(tokens.rows, 1) : 1;
    const torch::Tensor precise_TD = x_TD.scalar_type() == torch::kFloat64 ? x_TD : x_TD.to(torch::kFloat32);
    const torch::Tensor cosine_TQ =
        gate_logits(unit_rows(precise_TD), unit_rows(slot_EPD_.flatten(0, 1)), 0, context_, tokens);
    const torch::Tensor logit_TQ = scale_.to(cosine_TQ.scalar_type()) * cosine_TQ;
    const torch::Tensor invalid_GL1 = tokens.valid_T.logical_not().to(x_TD.device()).view({G, tokens.count() / G, 1});
    const torch::Tensor logit_GLQ = logit_TQ.view({G, tokens.count() / G, logit_TQ.size(1)});
    RoutingPlan plan = slots_of(G, tokens, x_TD.device());
    // Not minus infinity: a group of padding alone would get NaN instead of slots that nobody reads.
    const torch::Tensor masked_GLQ = logit_GLQ.masked_fill(invalid_GL1, std::numeric_limits<float>::lowest());
    plan.mixing.dispatch_GQL = masked_GLQ.softmax(1).transpose(1, 2);
    plan.mixing.combine_GLQ = logit_GLQ.softmax(2).masked_fill(invalid_GL1, 0);
    record_figures(plan, tokens);
    return plan;
  }

 private:
  /// Every slot of every group goes to its expert. Rows of the plan are slots, group by group.
  RoutingPlan slots_of(std::int64_t groups, const Tokens& tokens, torch::Device device) const {
    const bool empty = tokens.valid == 0;
    const torch::Tensor expert_GQ = torch::arange(options_.experts).repeat_interleave(options_.slots).repeat({groups});
    return make_plan(empty ? torch::full_like(expert_GQ, -1).unsqueeze(1) : expert_GQ.unsqueeze(1), {}, {},
                     options_.experts, device);
  }

  /// A token's share of an expert: the sum of its combine weights over the expert's slots.
  void record_figures(RoutingPlan& plan, const Tokens& tokens) const {
    const torch::Tensor share_TE = plan.mixing.combine_GLQ.detach()
                                       .reshape({tokens.count(), options_.experts, options_.slots})
                                       .sum(2)
                                       .to(torch::kFloat32);
    plan.statistics.choice_T = best_experts(share_TE, 1, tokens).squeeze(1);
    plan.statistics.dropped_T = torch::zeros({tokens.count()}, torch::kInt64);
    plan.statistics.probability_TE = share_TE;
  }

  SoftOptions options_;
  Grouping group_;
  RouterContext context_;
  torch::Tensor slot_EPD_, scale_;
};

}  // namespace

RouterEntry soft_router() {
  RouterEntry entry = make_router_entry<SoftRouter, SoftOptions>(
      "soft", "no choice: experts see weighted means of all tokens, in the encoder; another router in the decoder",
      "Puigcerver et al. 2023, From Sparse to Soft Mixtures of Experts (arXiv 2308.00951)", Json::object());
  entry.batch_dependent = true;
  return with_decoder_router(std::move(entry),
                             [](const Json& options) { return options["decoder"].get<std::string>(); });
}

}  // namespace moe
