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

constexpr std::int64_t width = 8, hidden = 12;

MoeLayer make_layer(const std::string& router, const Json& options = Json::object(), bool copy = false) {
  RouterContext context{.width = width};
  context.token_counts.assign(20, 1);
  return MoeLayer("layer", {width, hidden, copy}, build(router, options, context), 1);
}

torch::Tensor states(std::int64_t rows) {
  return normal_parameter({rows, width}, 1, 4, "x");
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
  const torch::Tensor x_TD = states(5);
  const MoeOutput output = layer.forward(x_TD, one_sentence(5));
  CHECK(all_close(output.y_TD, plain_net(layer, x_TD), 1e-6));
  CHECK(output.plan.pairs() == 5);
}

TEST_CASE("padding gets 0 from every router, and its state changes no other token") {
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    MoeLayer layer = make_layer(entry.name);
    Tokens tokens = one_sentence(6);
    make_padding(tokens, 4);
    torch::Tensor x_TD = states(6);
    const torch::Tensor y_TD = layer.forward(x_TD, tokens).y_TD.clone();
    CHECK(y_TD[4].abs().max().item<double>() == 0);
    x_TD[4].fill_(1e4);
    CHECK(all_close(layer.forward(x_TD, tokens).y_TD, y_TD, 1e-6));
  }
}

TEST_CASE("identical experts whose weights add up to 1 are the dense layer") {
  const torch::Tensor x_TD = states(6);
  MoeLayer dense = make_layer("dense");
  const torch::Tensor expected_TD = dense.forward(x_TD, one_sentence(6)).y_TD;
  for (const char* router : {"gshard", "hash", "random", "thor"}) {
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
    tokens.pass = pass;
    const MoeOutput output = layer.forward(states(6), tokens);
    output.y_TD.square().sum().backward();
    const torch::Tensor moved_E = layer.expert_parameters()[0].grad().abs().amax({1, 2}).gt(0);
    CHECK(moved_E.sum().item<std::int64_t>() == 1);
    const auto expert = moved_E.nonzero()[0][0].item<std::int64_t>();
    CHECK(output.plan.load(expert) == 6);
    used.insert(expert);
  }
  CHECK(used.size() > 3);  // 20 draws from 8: less than 4 different ones in about one of 10^7 cases
}

TEST_CASE("the gate learns through the weights of the experts' outputs") {
  MoeLayer layer = make_layer("switch");
  layer.forward(states(6), one_sentence(6)).y_TD.square().sum().backward();
  CHECK(layer.router().named_parameters()["weight"].grad().abs().max().item<double>() > 0);
}

TEST_CASE("the experts' width follows the layout") {
  CHECK(make_layer("dense-2x").expert_parameters()[0].sizes() == torch::IntArrayRef({1, 2 * hidden, width}));
  CHECK(make_layer("switch", {{"experts", 3}}).expert_parameters()[2].sizes() ==
        torch::IntArrayRef({3, width, hidden}));
}

}  // namespace moe
