#include "harness/commands/interop/layer_command.h"

#include "core/error.h"
#include "data/tokenizer.h"
#include "harness/commands/interop/interop_input.h"
#include "model/moe_layer.h"
#include "routers/registry.h"
#include "training/autocast.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

// Legend: B sentences, S positions, T = B S tokens, D width, E experts, F hidden width, M kept pairs.

namespace moe {
namespace {

struct LayerSettings {
  Json strategy = Json::object();
  double auxiliary_weight = 0;
  std::string phase = "train";
  std::string precision = "fp32";
  std::int64_t seed = 1;
  std::int64_t layer = 0;
  std::int64_t step = 0;
  std::int64_t pass = 0;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "strategy", .help = "a router with its options, as in a sweep"}, strategy);
    visitor.field({.key = "auxiliary_weight", .help = "weight of the balance loss in the gradients"}, auxiliary_weight);
    visitor.field({.key = "phase", .help = "training or evaluation", .choices = {"train", "evaluate"}}, phase);
    visitor.field({.key = "precision", .help = "of the experts", .choices = {"fp32", "bf16"}}, precision);
    visitor.field({.key = "seed", .help = "keys the router's draws, as do the three that follow"}, seed);
    visitor.field({.key = "layer", .help = "ordinal of the MoE layer", .minimum = 0}, layer);
    visitor.field({.key = "step", .help = "optimiser step", .minimum = 0}, step);
    visitor.field({.key = "pass", .help = "forward pass of the step", .minimum = 0}, pass);
  }
};

std::shared_ptr<Router> router_of(const LayerSettings& settings, const RouterContext& context,
                                  const std::string& file) {
  MOE_CHECK(
      settings.strategy.is_object() && settings.strategy.contains("router") && settings.strategy["router"].is_string(),
      "{}: strategy.router: the name of a router is missing.", file);
  Json options = settings.strategy;
  options.erase("router");
  return make_router(settings.strategy["router"].get<std::string>(), options, context, file);
}

/// What routers may know about the tokens [B, S] of the input.
Tokens read_tokens(const InteropInput& input, const LayerSettings& settings, std::int64_t B, std::int64_t S) {
  const torch::Tensor padding_BS = input.find("padding", torch::kUInt8, {B, S});
  const torch::Tensor id_BS = input.find("token_ids", torch::kInt64, {B, S});
  const torch::Tensor direction_B = input.find("direction", torch::kInt64, {B});
  const torch::Tensor label_BS = input.find("label", torch::kInt64, {B, S});
  Tokens tokens;
  if (label_BS.defined()) tokens.label_T = label_BS.flatten();
  tokens.valid_T = padding_BS.defined() ? padding_BS.flatten() == 0 : torch::ones({B * S}, torch::kBool);
  tokens.id_T = id_BS.defined() ? id_BS.flatten() : torch::zeros({B * S}, torch::kInt64);
  tokens.previous_id_T = tokens.id_T.view({B, S}).roll(1, 1).contiguous();
  if (S > 0) tokens.previous_id_T.select(1, 0).fill_(begin_id);
  tokens.previous_id_T = tokens.previous_id_T.flatten();
  tokens.position_T = torch::arange(S).repeat({B});
  tokens.row_T = torch::arange(B).repeat_interleave(S);
  tokens.sentence_T = tokens.row_T;
  tokens.direction_T = (direction_B.defined() ? direction_B : torch::zeros({B}, torch::kInt64)).repeat_interleave(S);
  tokens.rows = B;
  tokens.valid = tokens.valid_T.sum().item<std::int64_t>();
  tokens.call.phase = settings.phase == "train" ? Phase::train : Phase::evaluate;
  tokens.call.step = settings.step;
  tokens.call.forward_pass = settings.pass;
  return tokens;
}

std::vector<std::int64_t> token_counts(const InteropInput& input, const Tokens& tokens) {
  torch::Tensor count_V = input.find("token_counts", torch::kInt64, {-1});
  if (!count_V.defined()) count_V = tokens.id_T.masked_select(tokens.valid_T).clamp_min(0).bincount();
  return {count_V.const_data_ptr<std::int64_t>(), count_V.const_data_ptr<std::int64_t>() + count_V.numel()};
}

/// The layer's parameters from the input, and the router's buffers (a bias, a table) where it has them. Of the
/// parameters only the experts' biases may be missing: others would stay at their first values.
void copy_parameters(const InteropInput& input, MoeLayer& layer) {
  const torch::NoGradGuard no_gradient;
  for (const auto& parameter : layer.named_parameters()) {
    const std::string name = interop_name(parameter.key());
    const bool may_be_missing = name == "b1" || name == "b2";
    if (may_be_missing && !input.has(name)) continue;
    torch::Tensor(parameter.value()).copy_(input.get(name, torch::kFloat32, parameter.value().sizes().vec()));
  }
  for (const auto& buffer : layer.named_buffers()) {
    const std::string name = interop_name(buffer.key());
    if (!input.has(name)) continue;
    torch::Tensor(buffer.value()).copy_(input.get(name, buffer.value().scalar_type(), buffer.value().sizes().vec()));
  }
}

void add_plan(const RoutingPlan& plan, TensorFile& out) {
  out.tensors["pair_token"] = plan.assignment.token_M;
  out.tensors["pair_expert"] = assigned_experts(plan.assignment);
  out.tensors["pair_weight"] = plan.assignment.weight_M.defined()
                                   ? plan.assignment.weight_M.detach()
                                   : torch::ones({plan.assignment.count()}, torch::kFloat32);
  out.tensors["dropped"] = plan.statistics.dropped_T;
  if (plan.statistics.logit_TE.defined()) out.tensors["router_logits"] = plan.statistics.logit_TE;
  if (plan.statistics.probability_TE.defined()) out.tensors["router_probs"] = plan.statistics.probability_TE;
  const auto loss = [](const torch::Tensor& value) { return value.defined() ? value.detach() : torch::zeros({}); };
  out.tensors["balance_loss"] = loss(plan.losses.balance).to(torch::kFloat32).reshape({1});
  out.tensors["z_loss"] = loss(plan.losses.z).to(torch::kFloat32).reshape({1});
}

torch::Tensor gradient_of(const torch::Tensor& leaf) {
  return leaf.grad().defined() ? leaf.grad() : torch::zeros_like(leaf);
}

}  // namespace

void run_layer(const InteropRequest& request) {
  const auto settings = read_interop_config<LayerSettings>(request.config);
  const InteropInput input(request.input);
  const torch::Tensor x_BSD = input.get("x", torch::kFloat32, {-1, -1, -1});
  const std::int64_t B = x_BSD.size(0), S = x_BSD.size(1), D = x_BSD.size(2);
  MOE_CHECK(D > 0, "{}: the tensor \"x\" is [{}, {}, 0]; expected states of at least one element.",
            request.input.string(), B, S);
  const Tokens tokens = read_tokens(input, settings, B, S);

  RouterContext context{.width = D, .layer = settings.layer, .token_counts = token_counts(input, tokens)};
  context.seed = static_cast<std::uint64_t>(settings.seed);
  if (tokens.count() > 0) context.directions = tokens.direction_T.max().item<std::int64_t>() + 1;
  const std::shared_ptr<Router> router = router_of(settings, context, request.config.string());
  const ExpertLayout layout = router->layout();
  const torch::Tensor w1_EFD = input.get("w1", torch::kFloat32, {layout.count, -1, D});
  MoeLayer layer("layer", {D, w1_EFD.size(1) * layout.width_divisor / layout.width_factor, false}, router,
                 context.seed);
  copy_parameters(input, layer);

  const torch::Tensor x_TD = x_BSD.flatten(0, 1).clone().requires_grad_(true);
  const MoeOutput result = [&] {
    const Autocast autocast(torch::kCPU, settings.precision == "bf16");
    return layer.forward(x_TD, tokens);
  }();
  const torch::Tensor y_TD = result.y_TD.to(torch::kFloat32);

  TensorFile out;
  out.tensors["output"] = y_TD.detach().view({B, S, D});
  add_plan(result.plan, out);
  if (input.has("grad_output")) {
    const torch::Tensor upstream_TD = input.get("grad_output", torch::kFloat32, {B, S, D}).flatten(0, 1);
    torch::Tensor total = (y_TD * upstream_TD).sum();
    if (result.plan.losses.balance.defined()) total = total + settings.auxiliary_weight * result.plan.losses.balance;
    total.backward();
    out.tensors["grad.x"] = gradient_of(x_TD).view({B, S, D});
    for (const auto& parameter : layer.named_parameters()) {
      const std::string name = interop_name(parameter.key());
      if (input.has(name)) out.tensors["grad." + name] = gradient_of(parameter.value());
    }
  }
  write_safetensors(request.output, out);
}

}  // namespace moe
