#include "routers/balance_loss.h"

#include "routers/gating.h"
#include "routers/slots.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

double balance(std::int64_t choices, const Tokens& tokens, const BalanceOptions& options = {},
               Grouping group = Grouping::batch) {
  const torch::Tensor expert_TK = best_experts(fixture_logits(), choices, tokens);
  return load_balancing_loss(
             load_balance({fixture_logits().softmax(1), expert_TK, {}}, balance_rule(options), group, tokens))
      .item<double>();
}

/// The loss of one choice a token with two slots an expert.
double balance_with_two_slots(const torch::Tensor& logit_TE, const std::string& rule) {
  const Tokens tokens = one_sentence(logit_TE.size(0));
  CapacityOptions slots;
  slots.capacity = 2;
  const torch::Tensor expert_T1 = best_experts(logit_TE, 1, tokens);
  const torch::Tensor kept_T1 = fill_slots(expert_T1, logit_TE.size(1), Capacity(slots), tokens);
  const BalanceInput input{logit_TE.softmax(1), expert_T1, kept_T1};
  return load_balancing_loss(load_balance(input, balance_rule({.rule = rule}), Grouping::batch, tokens)).item<double>();
}

}  // namespace

TEST_CASE("the balance loss of Fixture A") {
  const Tokens tokens = one_sentence(6);
  CHECK(balance(1, tokens) == Approx(1.297939).margin(1e-5));
  CHECK(balance(2, tokens) == Approx(1.102302).margin(1e-5));
  CHECK(balance(2, tokens, {.counts = "first"}) == Approx(1.297939).margin(1e-5));
  CHECK(balance(1, last_is_padding()) == Approx(1.228238).margin(1e-5));
}

TEST_CASE("the balance loss over sentences is the mean of theirs") {
  // t0..t2: 3 * (2/3 * .539395 + 1/3 * .329481) = 1.408271; t3..t5: 3 * (2/3 * .524524 + 1/3 * .262739) = 1.311786.
  CHECK(balance(1, make_tokens({{0, {1, 2, 3}}, {1, {4, 5, 6}}}), {}, Grouping::sentence) ==
        Approx(1.360029).margin(1e-5));
}

TEST_CASE("a group of padding alone does not count in the mean over groups") {
  Tokens tokens = make_tokens({{0, {1, 2, 3}}, {1, {4, 5, 6}}});
  for (const int row : {3, 4, 5}) make_padding(tokens, row);
  CHECK(balance(1, tokens, {}, Grouping::sentence) == Approx(1.408271).margin(1e-5));
}

TEST_CASE("the balance loss counts choices before capacity and is 1 when use is even") {
  const Tokens tokens = one_sentence(4);
  const torch::Tensor logit_TE = torch::tensor({{0., 1.}, {0., 1.}, {0., 1.}, {0., 1.}});
  const auto loss = [&](const torch::Tensor& expert_T1) {
    return load_balancing_loss(load_balance({logit_TE.softmax(1), expert_T1, {}}, {}, Grouping::batch, tokens))
        .item<double>();
  };
  CHECK(loss(best_experts(logit_TE, 1, tokens)) == Approx(1.462117).margin(1e-5));
  CHECK(loss(torch::tensor({{0}, {0}, {1}, {1}}, torch::kInt64)) == Approx(1.0).margin(1e-6));
}

TEST_CASE("opposite imbalances of two layers do not cancel, unless the layers are pooled") {
  const Tokens tokens = one_sentence(2);
  const auto balance_of = [&](double first, std::int64_t expert) {
    const torch::Tensor probability_TE = torch::tensor({{first, 1 - first}, {first, 1 - first}});
    return load_balance({probability_TE, all_to(expert, tokens), {}}, {}, Grouping::batch, tokens);
  };
  const std::vector<LoadBalance> layers = {balance_of(.9, 0), balance_of(.1, 1)};
  const torch::Tensor sum = load_balancing_loss(layers[0]) + load_balancing_loss(layers[1]);
  CHECK(sum.item<double>() / 2 == Approx(1.8).margin(1e-6));
  CHECK(pooled_balance_loss(layers, LayerPooling::concatenated).item<double>() == Approx(1.0).margin(1e-6));
  // All choose expert 0 twice: 2 * the mean of .9 and .6.
  CHECK(pooled_balance_loss({balance_of(.9, 0), balance_of(.6, 0)}, LayerPooling::concatenated).item<double>() ==
        Approx(1.5).margin(1e-6));
  // Choices stay with the first layer's two of four experts: 4 * (.5 * .9 + .5 * .1).
  CHECK(pooled_balance_loss(layers, LayerPooling::stacked_experts).item<double>() == Approx(2.0).margin(1e-6));
}

TEST_CASE("with t5 of Fixture A as padding the projects differ") {
  const auto loss = [](const std::string& rule) { return balance(1, last_is_padding(), {.rule = rule}); };
  CHECK(loss("norm") == Approx(1.228238).margin(1e-5));
  CHECK(loss("fairseq") == Approx(1.031959).margin(1e-5));
  CHECK(loss("deepspeed") == Approx(1.031959).margin(1e-5));
  CHECK(loss("mesh_switch") == Approx(1.081616).margin(1e-5));
  CHECK(loss("mesh_top_2") == Approx(0.852943).margin(1e-5));
  CHECK(loss("flaxformer") == Approx(0.852943).margin(1e-5));
  CHECK(loss("megablocks") == Approx(1.297939).margin(1e-5));  // padding is a token like others
}

TEST_CASE("with two choices some count the first alone, and flaxformer does not divide by two") {
  const auto loss = [](const std::string& rule) { return balance(2, one_sentence(6), {.rule = rule}); };
  CHECK(loss("norm") == Approx(1.102302).margin(1e-5));
  CHECK(loss("megablocks") == Approx(1.102302).margin(1e-5));
  CHECK(loss("flaxformer") == Approx(2.204603).margin(1e-5));
  for (const char* rule : {"fairseq", "deepspeed", "mesh_top_2", "mesh_switch"}) {
    CHECK(loss(rule) == Approx(1.297939).margin(1e-5));
  }
  // Three choices of three experts are even; DeepSpeed then counts all and divides by three, fairseq still the first.
  CHECK(balance(3, one_sentence(6), {.rule = "deepspeed"}) == Approx(1).margin(1e-5));
  CHECK(balance(3, one_sentence(6), {.rule = "fairseq"}) == Approx(1.297939).margin(1e-5));
}

TEST_CASE("after dropping, kept choices alone look better than balanced") {
  CHECK(balance_with_two_slots(fixture_logits(), "st_moe") == Approx(.765979).margin(1e-5));
  CHECK(balance_with_two_slots(fixture_logits(), "norm") == Approx(1.297939).margin(1e-5));
}

TEST_CASE("counting dropped tokens for expert 0 hides that all went to expert 1") {
  const torch::Tensor logit_TE = torch::tensor({{0., 1.}, {0., 1.}, {0., 1.}, {0., 1.}});
  CHECK(balance_with_two_slots(logit_TE, "norm") == Approx(1.462117).margin(1e-5));
  CHECK(balance_with_two_slots(logit_TE, "hf_switch") == Approx(1.0).margin(1e-5));
}

TEST_CASE("every rule's gradient agrees with central differences in float64, and only padding adds nothing") {
  for (const char* rule : {"norm", "flaxformer", "mesh_switch", "mesh_top_2", "fairseq", "deepspeed", "megablocks",
                           "hf_switch", "st_moe", "hf_nllb"}) {
    CAPTURE(rule);
    Tokens tokens = last_is_padding();
    const torch::Tensor expert_T2 = best_experts(fixture_logits(), 2, tokens);
    const auto loss = [&](const torch::Tensor& logit_TE) {
      const torch::Tensor probability_TE = logit_TE.softmax(1);
      const BalanceInput input{probability_TE, expert_T2, {}, probability_TE.square()};
      return load_balancing_loss(load_balance(input, balance_rule({.rule = rule}), Grouping::batch, tokens));
    };
    CHECK(gradient_error(loss, fixture_logits(torch::kFloat64)) < 1e-8);
    for (int row = 0; row < 5; ++row) make_padding(tokens, row);
    CHECK(loss(fixture_logits()).item<double>() == 0);
  }
}

}  // namespace moe
