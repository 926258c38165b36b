#include "core/error.h"
#include "harness/commands/interop/layer_command.h"
#include "harness/commands/interop/objective_command.h"
#include "tests/data/support.h"
#include "tests/harness/commands/interop_fixture.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

// Legend: B sentences, S positions, D width, E experts, F hidden width, M kept pairs, N rows, V ids.

namespace moe {
namespace {

std::string refusal(void (*command)(const InteropRequest&), const Json& config, const Tensors& input) {
  try {
    ask(command, config, input);
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::request_wrong);
    return error.what();
  }
  return "";
}

/// Fixture A as a layer: the gate is the identity, so that the states are the logits; 3 experts of hidden width 4.
Tensors fixture_layer() {
  return {{"x", fixture_logits().view({2, 3, 3})},
          {"router.weight", torch::eye(3)},
          {"w1", torch::linspace(-1, 1, 36).view({3, 4, 3})},
          {"b1", torch::linspace(0, 1, 12).view({3, 4})},
          {"w2", torch::linspace(1, -1, 36).view({3, 3, 4})},
          {"b2", torch::linspace(-1, 0, 9).view({3, 3})}};
}

torch::Tensor expert_output(const Tensors& layer, std::int64_t expert, const torch::Tensor& x_D) {
  const torch::Tensor hidden_F = (layer.at("w1")[expert].mv(x_D) + layer.at("b1")[expert]).clamp_min(0);
  return layer.at("w2")[expert].mv(hidden_F) + layer.at("b2")[expert];
}

const Json switch_with_two_slots = {{"strategy", {{"router", "switch"}, {"experts", 3}, {"capacity", 2}}},
                                    {"auxiliary_weight", 0.5}};

}  // namespace

TEST_CASE("the layer command answers Fixture A with its golden plan, losses and outputs") {
  const Tensors layer = fixture_layer();
  const Tensors out = ask(run_layer, switch_with_two_slots, layer);
  CHECK(out.at("pair_token").equal(torch::tensor({0, 1, 2, 4}, torch::kInt64)));
  CHECK(out.at("pair_expert").equal(torch::tensor({0, 0, 1, 2}, torch::kInt64)));
  CHECK(all_close(out.at("pair_weight"), torch::tensor({.665241, .708217, .665241, .665241})));
  CHECK(out.at("dropped").equal(torch::tensor({0, 0, 0, 1, 0, 1}, torch::kInt64)));
  CHECK(all_close(out.at("balance_loss"), torch::tensor({1.297939})));
  CHECK(all_close(out.at("z_loss"), torch::tensor({6.662184})));
  CHECK(all_close(out.at("router_logits"), fixture_logits()));
  CHECK(all_close(out.at("router_probs").select(0, 3), torch::tensor({.909443, .045279, .045279})));

  const torch::Tensor output_TD = out.at("output").view({6, 3});
  for (std::int64_t pair = 0; pair < 4; ++pair) {
    const auto token = out.at("pair_token")[pair].item<std::int64_t>();
    const auto expert = out.at("pair_expert")[pair].item<std::int64_t>();
    CHECK(all_close(output_TD[token],
                    out.at("pair_weight")[pair] * expert_output(layer, expert, fixture_logits()[token])));
  }
  CHECK(output_TD[3].abs().max().item<double>() == 0);
  CHECK_FALSE(out.contains("grad.x"));
}

TEST_CASE("the gradients of the layer command are those of output and balance loss") {
  Tensors layer = fixture_layer();
  layer["grad_output"] = torch::linspace(-1, 1, 18).view({2, 3, 3});
  const Tensors out = ask(run_layer, switch_with_two_slots, layer);
  const auto loss = [&](const std::string& name, const torch::Tensor& value) {
    Tensors changed = layer;
    changed[name] = value;
    const Tensors answer = ask(run_layer, switch_with_two_slots, changed);
    return (answer.at("output") * layer["grad_output"]).sum().item<double>() +
           0.5 * answer.at("balance_loss").item<double>();
  };
  constexpr float step = 1e-2F;
  for (const std::string name : {"x", "router.weight", "w1", "b1", "w2", "b2"}) {
    CAPTURE(name);
    const torch::Tensor gradient = out.at("grad." + name).flatten();
    for (const std::int64_t element : {std::int64_t{0}, gradient.numel() / 2, gradient.numel() - 1}) {
      const torch::Tensor above = layer[name].clone(), below = layer[name].clone();
      above.view(-1)[element] += step;
      below.view(-1)[element] -= step;
      const double difference = (loss(name, above) - loss(name, below)) / (2 * static_cast<double>(step));
      CHECK(std::abs(gradient[element].item<double>() - difference) < 2e-3);
    }
  }
}

TEST_CASE("padding is not routed through the layer command") {
  Tensors layer = fixture_layer();
  layer["padding"] = torch::tensor({0, 0, 0, 0, 0, 1}, torch::kUInt8).view({2, 3});
  const Tensors out = ask(run_layer, switch_with_two_slots, layer);
  CHECK(all_close(out.at("balance_loss"), torch::tensor({1.228238})));
  CHECK(all_close(out.at("z_loss"), torch::tensor({6.689060})));
  CHECK(out.at("dropped").equal(torch::tensor({0, 0, 0, 1, 0, 0}, torch::kInt64)));
  CHECK(out.at("output")[1][2].abs().max().item<double>() == 0);
}

TEST_CASE("the layer command takes routers without a gate, and token ids for hash") {
  Tensors layer = fixture_layer();
  layer["token_ids"] = torch::tensor({5, 5, 7, 7, 5, 9}, torch::kInt64).view({2, 3});
  const Tensors out = ask(run_layer, {{"strategy", {{"router", "hash"}, {"experts", 3}}}}, layer);
  CHECK(out.at("pair_weight").equal(torch::ones({6})));
  CHECK_FALSE(out.contains("router_logits"));
  std::map<std::int64_t, std::int64_t> expert_of_id;
  for (std::int64_t pair = 0; pair < 6; ++pair) {
    const auto id = layer["token_ids"].view(-1)[out.at("pair_token")[pair].item<std::int64_t>()].item<std::int64_t>();
    const auto expert = out.at("pair_expert")[pair].item<std::int64_t>();
    CHECK(expert_of_id.try_emplace(id, expert).first->second == expert);
  }
}

TEST_CASE("the layer command says what is wrong with its files") {
  const Json config = switch_with_two_slots;
  Tensors without = fixture_layer();
  without.erase("router.weight");
  CHECK(
      contains(refusal(run_layer, config, without), "the tensor \"router.weight\" is missing; expected Float [3, 3]."));
  Tensors wrong = fixture_layer();
  wrong["w2"] = torch::zeros({3, 4, 3});
  CHECK(contains(refusal(run_layer, config, wrong), "the tensor \"w2\" is Float [3, 4, 3]; expected Float [3, 3, 4]."));
  CHECK(contains(refusal(run_layer, {{"strategy", {{"router", "swich"}}}}, fixture_layer()), "switch"));
  CHECK(contains(refusal(run_layer, {{"strategy", {{"router", "switch"}, {"expert", 3}}}}, fixture_layer()),
                 "strategy.expert"));
  CHECK(contains(refusal(run_layer, Json::object(), fixture_layer()), "the name of a router is missing"));
  CHECK(contains(refusal(run_layer, {{"phases", "train"}}, fixture_layer()), "phases"));
  Tensors hollow = fixture_layer();
  hollow["x"] = torch::zeros({2, 3, 0});
  CHECK(contains(refusal(run_layer, config, hollow), "\"x\" is [2, 3, 0]; expected states of at least one element."));
}

TEST_CASE("the objective command adds both cross entropies and the weighted divergence") {
  const torch::Tensor first_NV = torch::linspace(-2, 2, 20).view({4, 5}), second_NV = first_NV.flip(1) * 0.5;
  const torch::Tensor target_N = torch::tensor({4, 1, 0, 2}, torch::kInt64);
  const Json config = {{"objective", {{"passes", 2}, {"consistency", 5.0}, {"label_smoothing", 0.1}}},
                       {"padding_id", 1}};
  const Tensors out = ask(run_objective, config, {{"logits1", first_NV}, {"logits2", second_NV}, {"target", target_N}});

  const torch::Tensor counted = torch::tensor({0, 2, 3}, torch::kInt64);
  const torch::Tensor a_NV = first_NV.clone().requires_grad_(true), b_NV = second_NV.clone().requires_grad_(true);
  const auto log_p = [&](const torch::Tensor& logits) { return logits.index_select(0, counted).log_softmax(1); };
  const auto entropy = [&](const torch::Tensor& logits) {
    const torch::Tensor right = log_p(logits).gather(1, target_N.index_select(0, counted).unsqueeze(1)).sum();
    return -(0.9 * right + 0.1 / 4 * (log_p(logits).sum() - right));
  };
  const torch::Tensor divergence = 0.5 * ((log_p(a_NV).exp() - log_p(b_NV).exp()) * (log_p(a_NV) - log_p(b_NV))).sum();
  const torch::Tensor total = entropy(a_NV) + entropy(b_NV) + 5 * divergence;
  total.backward();
  CHECK(all_close(out.at("cross_entropy1"), entropy(a_NV).reshape({1})));
  CHECK(all_close(out.at("cross_entropy2"), entropy(b_NV).reshape({1})));
  CHECK(all_close(out.at("consistency"), divergence.reshape({1})));
  CHECK(all_close(out.at("total"), total.reshape({1}), 1e-4));
  CHECK(all_close(out.at("grad.logits1"), a_NV.grad()));
  CHECK(all_close(out.at("grad.logits2"), b_NV.grad()));
}

TEST_CASE("the objective command stays finite on extreme logits and refuses ids that are not there") {
  const torch::Tensor first_NV = torch::tensor({200.0F, -200.0F, 0.0F, -200.0F, 200.0F, 0.0F}).view({2, 3});
  const Json config = {{"objective", {{"passes", 2}, {"consistency", 5.0}}}, {"padding_id", 9}};
  const Tensors input = {
      {"logits1", first_NV}, {"logits2", -first_NV}, {"target", torch::tensor({1, 0}, torch::kInt64)}};
  for (const auto& [name, tensor] : ask(run_objective, config, input)) {
    CAPTURE(name);
    CHECK(tensor.isfinite().all().item<bool>());
  }
  Tensors wrong = input;
  wrong["target"] = torch::tensor({1, 3}, torch::kInt64);
  CHECK(contains(refusal(run_objective, config, wrong), "target: found 3, but the logits have 3 ids."));
  CHECK(contains(refusal(run_objective, {{"objective", {{"consistency", 1.0}}}}, input), "objective"));
}

}  // namespace moe
