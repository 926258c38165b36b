#include "model/moe_layer.h"

#include "core/error.h"
#include "model/initialisation.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <set>

// Legend: T tokens, D width, E experts, F hidden width of an expert.

namespace moe {
namespace {

constexpr std::int64_t layer_width = 8, hidden = 12;

MoeLayer make_layer(const std::string& router, const Json& options = Json::object(), bool copy = false) {
  RouterContext context{.width = layer_width};
  context.token_counts.assign(20, 1);
  return MoeLayer("layer", {layer_width, hidden, copy}, build(router, options, context), 1);
}

torch::Tensor layer_states(std::int64_t rows) {
  return normal_parameter({rows, layer_width}, 1, 4, "x");
}

/// Expert 0 as a plain feed-forward net.
torch::Tensor plain_net(const MoeLayer& layer, const torch::Tensor& x_TD) {
  const auto experts = layer.expert_parameters();
  const torch::Tensor hidden_TF = torch::relu(torch::linear(x_TD, experts[0][0], experts[1][0]));
  return torch::linear(hidden_TF, experts[2][0], experts[3][0]);
}

}  // namespace

TEST_CASE("the dense layer is a plain feed-forward net") {
  MoeLayer layer = make_layer("dense");
  const torch::Tensor x_TD = layer_states(5);
  const MoeOutput output = layer.forward(x_TD, one_sentence(5));
  CHECK(all_close(output.y_TD, plain_net(layer, x_TD), 1e-6));
  CHECK(output.plan.assignment.count() == 5);
}

TEST_CASE("padding gets 0 from every router, and its state changes no other token") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    MoeLayer layer = make_layer(entry.name);
    Tokens tokens = one_sentence(6);
    make_padding(tokens, 4);
    torch::Tensor x_TD = layer_states(6);
    const torch::Tensor y_TD = layer.forward(x_TD, tokens).y_TD.clone();
    CHECK(y_TD[4].abs().max().item<double>() == 0);
    x_TD[4].fill_(1e4);
    CHECK(all_close(layer.forward(x_TD, tokens).y_TD, y_TD, 1e-6));
  }
}

TEST_CASE("identical experts whose weights add up to 1 are the dense layer") {
  const torch::Tensor x_TD = layer_states(6);
  MoeLayer dense = make_layer("dense");
  const torch::Tensor expected_TD = dense.forward(x_TD, one_sentence(6)).y_TD;
  for (const char* router : {"gshard", "hash", "random", "thor", "cmr"}) {
    CAPTURE(router);
    MoeLayer layer = make_layer(router, Json::object(), true);
    CHECK(all_close(layer.forward(x_TD, one_sentence(6)).y_TD, expected_TD, 1e-5));
  }
  // One step away from that: Switch multiplies by a probability.
  MoeLayer scaled = make_layer("switch", Json::object(), true);
  CHECK((scaled.forward(x_TD, one_sentence(6)).y_TD - expected_TD).abs().max().item<double>() > 0.01);
}

TEST_CASE("in training THOR uses exactly one expert per pass, and only that one learns") {
  MoeLayer layer = make_layer("thor", {{"experts", 8}});
  std::set<std::int64_t> used;
  for (std::int64_t pass = 0; pass < 20; ++pass) {
    layer.zero_grad();
    Tokens tokens = one_sentence(6);
    tokens.call.forward_pass = pass;
    const MoeOutput output = layer.forward(layer_states(6), tokens);
    output.y_TD.square().sum().backward();
    const torch::Tensor moved_E = layer.expert_parameters()[0].grad().abs().amax({1, 2}).gt(0);
    CHECK(moved_E.sum().item<std::int64_t>() == 1);
    const auto expert = moved_E.nonzero()[0][0].item<std::int64_t>();
    CHECK(output.plan.assignment.load(expert) == 6);
    used.insert(expert);
  }
  CHECK(used.size() > 3);  // 20 draws from 8: less than 4 different ones in about one of 10^7 cases
}

TEST_CASE("the gate learns through the weights of the experts' outputs") {
  MoeLayer layer = make_layer("switch");
  layer.forward(layer_states(6), one_sentence(6)).y_TD.square().sum().backward();
  CHECK(layer.router().named_parameters()["weight"].grad().abs().max().item<double>() > 0);
}

TEST_CASE("merged experts are one expert with the mean of all weights, and not the mean of their outputs") {
  const auto at_evaluation = [](const std::string& inference, const torch::Tensor& x_TD) {
    MoeLayer layer = make_layer("thor", {{"experts", 3}, {"inference", inference}});
    return layer.forward(x_TD, one_sentence(6, Phase::evaluate)).y_TD.detach();
  };
  const torch::Tensor x_TD = layer_states(6);
  const auto experts = make_layer("thor", {{"experts", 3}}).expert_parameters();
  const torch::Tensor hidden_TF = torch::relu(x_TD.matmul(experts[0].mean(0).t()));  // biases start at 0
  CHECK(all_close(at_evaluation("merged", x_TD), hidden_TF.matmul(experts[2].mean(0).t()), 1e-6));
  CHECK((at_evaluation("merged", x_TD) - at_evaluation("mean", x_TD)).abs().max().item<double>() > 0.01);
}

TEST_CASE("soft: tokens are mixed into slots, and slots' outputs into tokens") {
  MoeLayer layer = make_layer("soft", {{"experts", 2}, {"slots", 3}});
  const torch::Tensor x_TD = layer_states(5);
  const MoeOutput output = layer.forward(x_TD, one_sentence(5));
  const torch::Tensor slot_QD = output.plan.mixing.dispatch_GQL[0].matmul(x_TD);
  const auto w = layer.expert_parameters();
  std::vector<torch::Tensor> slot_outputs;
  for (std::int64_t e = 0; e < 2; ++e) {
    slot_outputs.push_back(torch::relu(slot_QD.narrow(0, 3 * e, 3).matmul(w[0][e].t())).matmul(w[2][e].t()));
  }
  CHECK(all_close(output.y_TD, output.plan.mixing.combine_GLQ[0].matmul(torch::cat(slot_outputs)), 1e-6));
  output.y_TD.square().sum().backward();
  for (const auto& parameter : layer.named_parameters()) {
    CAPTURE(parameter.key());
    CHECK(parameter.value().grad().abs().max().item<double>() > 0);
  }
}

TEST_CASE("the layer runs passes until the router has had enough, each over the states that the last one left") {
  MoeLayer layer = make_layer("smoe", {{"experts", 4}, {"k", 1}});
  torch::Tensor x_TD = layer_states(6);
  const Tokens tokens = one_sentence(6);
  const MoeOutput output = layer.forward(x_TD, tokens);
  Router& router = layer.router();
  const RoutingPlan first = router.route(x_TD, tokens);
  REQUIRE(first.round_state_T.eq(1).any().item<bool>());
  // A token in state 2 after the first pass has the output of that pass alone.
  const auto w = layer.expert_parameters();
  for (std::int64_t t = 0; t < 6; ++t) {
    const auto e = first.statistics.choice_T[t].item<std::int64_t>();
    torch::Tensor y_D = torch::relu(w[0][e].mv(x_TD[t]));
    y_D = w[2][e].mv(y_D);
    const bool leaves = first.round_state_T[t].item<std::int64_t>() == 2;
    CHECK(all_close(output.y_TD[t], y_D, 1e-5) == leaves);
  }
  CHECK(output.plan.rounds == 2);
  CHECK(output.plan.assignment.count() == 6 + first.round_state_T.eq(1).sum().item<std::int64_t>());
  output.y_TD.square().sum().backward();
  CHECK(router.named_parameters()["norm.0.weight"].grad().abs().max().item<double>() > 0);
}

TEST_CASE("outputs are multiplied element by element before they are weighted and added") {
  MoeLayer layer =
      make_layer("gshard", {{"experts", 3}, {"expert_output_masking", 0.5}, {"masked_outputs", "elements"}});
  const torch::Tensor x_TD = layer_states(6);
  const MoeOutput output = layer.forward(x_TD, one_sentence(6));
  const auto w = layer.expert_parameters();
  torch::Tensor expected_TD = torch::zeros_like(x_TD);
  const torch::Tensor expert_M = experts_of(output.plan);
  for (std::int64_t m = 0; m < output.plan.assignment.count(); ++m) {
    const auto t = output.plan.assignment.token_M[m].item<std::int64_t>(), e = expert_M[m].item<std::int64_t>();
    const torch::Tensor y_D = w[2][e].mv(torch::relu(w[0][e].mv(x_TD[t])));
    expected_TD[t] += output.plan.assignment.weight_M[m] * (y_D * output.plan.io.output_factor_MD[m]);
  }
  CHECK(all_close(output.y_TD, expected_TD, 1e-5));
  CHECK(output.plan.io.output_factor_MD.eq(0).any().item<bool>());
}

TEST_CASE("a residual BASE layer leaves every state as it is at first") {
  MoeLayer layer = make_layer("base", {{"experts", 2}, {"residual", true}, {"sublayers", 2}});
  CHECK(layer.forward(layer_states(6), one_sentence(6)).y_TD.eq(0).all().item<bool>());
}

TEST_CASE("a residual BASE expert is a stack of normed residual nets, weighted as a whole") {
  MoeLayer layer = make_layer("base", {{"experts", 2}, {"residual", true}, {"sublayers", 2}});
  REQUIRE(layer.layout().count == 4);
  const torch::NoGradGuard no_gradient;
  std::int64_t number = 0;
  for (const auto& parameter : layer.named_parameters()) {
    torch::Tensor(parameter.value())
        .add_(normal_parameter(parameter.value().sizes().vec(), 0.2, 9, std::to_string(number++)));
  }
  Tokens tokens = one_sentence(5);
  make_padding(tokens, 3);
  const torch::Tensor x_TD = layer_states(5);
  const MoeOutput output = layer.forward(x_TD, tokens);
  const auto w = layer.expert_parameters();
  const auto router = layer.router().named_parameters();
  for (std::int64_t t = 0; t < 5; ++t) {
    const auto e = output.plan.statistics.choice_T[t].item<std::int64_t>();
    if (e < 0) {
      CHECK(output.y_TD[t].eq(0).all().item<bool>());
      continue;
    }
    torch::Tensor state_D = x_TD[t].clone();
    for (const std::int64_t net : {e, 2 + e}) {
      const torch::Tensor unit_D = (state_D - state_D.mean()) / (state_D.var(/*unbiased=*/false) + 1e-5).sqrt();
      const torch::Tensor input_D = unit_D * router["norm.weight"][net] + router["norm.bias"][net];
      state_D = state_D + w[2][net].mv(torch::relu(w[0][net].mv(input_D) + w[1][net])) + w[3][net];
    }
    const torch::Tensor weight = x_TD[t].dot(router["weight"][e]).sigmoid();
    CHECK(all_close(x_TD[t] + output.y_TD[t], weight * state_D + (1 - weight) * x_TD[t], 1e-5));
  }
}

TEST_CASE("smoe may norm the states themselves, between passes and on the way out") {
  MoeLayer layer = make_layer("smoe", {{"experts", 4}, {"k", 1}, {"norm", "states"}});
  const torch::NoGradGuard no_gradient;
  auto& router = layer.router();
  for (const char* name : {"norm.0.weight", "norm.1.weight", "norm.0.bias", "norm.1.bias"}) {
    router.named_parameters()[name].add_(normal_parameter({layer_width}, 0.3, 5, name));
  }
  const torch::Tensor state_TD = 3 * layer_states(8), x_TD = layer_states(8);
  const MoeOutput output = layer.forward(x_TD, one_sentence(8), state_TD);
  const RoutingPlan first = router.route(x_TD, one_sentence(8));
  const auto w = layer.expert_parameters();
  const auto expert = [&](std::int64_t e, const torch::Tensor& x_D) {
    return w[2][e].mv(torch::relu(w[0][e].mv(x_D)));
  };
  const auto norm = [&](const std::string& number, const torch::Tensor& x_D) {
    const torch::Tensor unit_D = (x_D - x_D.mean()) / (x_D.var(/*unbiased=*/false) + 1e-5).sqrt();
    return unit_D * router.named_parameters()["norm." + number + ".weight"] +
           router.named_parameters()["norm." + number + ".bias"];
  };
  const torch::Tensor gate_ED = router.named_parameters()["1.weight"].slice(0, 2);
  bool some_leave = false, some_stay = false;
  for (std::int64_t t = 0; t < 8; ++t) {
    torch::Tensor now_D = state_TD[t] + expert(first.statistics.choice_T[t].item<std::int64_t>(), x_TD[t]);
    const bool stays = first.round_state_T[t].item<std::int64_t>() == 1;
    if (stays) {
      now_D = norm("0", now_D);
      now_D = now_D + expert(2 + gate_ED.mv(now_D).argmax().item<std::int64_t>(), now_D);
    }
    (stays ? some_stay : some_leave) = true;
    CHECK(all_close(state_TD[t] + output.y_TD[t], norm("1", now_D), 1e-4));
  }
  CHECK(some_leave);
  CHECK(some_stay);
}

TEST_CASE("the experts' width follows the layout") {
  CHECK(make_layer("dense-2x").expert_parameters()[0].sizes() == torch::IntArrayRef({1, 2 * hidden, layer_width}));
  CHECK(make_layer("switch", {{"experts", 3}}).expert_parameters()[2].sizes() ==
        torch::IntArrayRef({3, layer_width, hidden}));
}

}  // namespace moe
