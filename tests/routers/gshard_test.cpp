#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

RoutingPlan route_to_two(const Json& options, Phase phase = Phase::train) {
  return build_on_logits("gshard", 3, options)->route(fixture_logits(), one_sentence(6, phase));
}

/// Weights of tokens 2, 4 and 5, as a table [3, E].
torch::Tensor weights_of_2_4_5(const Json& options) {
  return weight_table(route_to_two(options), 6).index_select(0, torch::tensor({2, 4, 5}, torch::kInt64));
}

/// How often `count` copies of a token use their second expert.
double share_of_seconds(const std::vector<double>& logits, const Json& options, std::int64_t count) {
  const auto router = build_on_logits("gshard", 3, options);
  const torch::Tensor x_TD = torch::tensor(logits, torch::kFloat32).unsqueeze(0).expand({count, 3});
  const RoutingPlan plan = router->route(x_TD, one_sentence(count));
  CHECK(plan.statistics.skipped == 2 * count - plan.assignment.count());
  return static_cast<double>(plan.assignment.count() - count) / static_cast<double>(count);
}

}  // namespace

TEST_CASE("gshard uses the two best experts, with their share of the two probabilities") {
  const RoutingPlan plan = route_to_two(Json::object());
  CHECK(all_close(weight_table(plan, 6), torch::tensor({{.731059, .268941, 0.},
                                                        {.768525, 0., .231475},
                                                        {.268941, .731059, 0.},
                                                        {.952574, .047426, 0.},
                                                        {0., .268941, .731059},
                                                        {.622459, .377541, 0.}})));
  CHECK(all_close(combine(plan, 6), torch::tensor({1.268941, 1.462950, 1.731059, 1.047426, 2.731059, 1.377541})));
  CHECK(plan.statistics.skipped == 0);
  CHECK(plan.losses.balance.item<double>() == Approx(1.102302).margin(1e-5));
  CHECK(plan.losses.z.item<double>() == Approx(6.662184).margin(1e-5));
  CHECK(route_to_two({{"balance_counts", "first"}}).losses.balance.item<double>() == Approx(1.297939).margin(1e-5));
}

TEST_CASE("without normalisation the weights are the probabilities") {
  const torch::Tensor table_TE = weight_table(route_to_two({{"normalise", "none"}}), 6);
  CHECK(all_close(table_TE[0], torch::tensor({.665241, .244728, 0.})));
  CHECK(all_close(table_TE[3], torch::tensor({.909443, .045279, 0.})));
}

TEST_CASE("with four slots the second choices of t2 and t5 are dropped") {
  const Json after = {{"capacity", 4}};
  CHECK(route_to_two(after).statistics.dropped_T.equal(torch::tensor({0, 0, 1, 0, 0, 1}, torch::kInt64)));
  CHECK(all_close(weights_of_2_4_5(after), torch::tensor({{0., 1., 0.}, {0., .268941, .731059}, {1., 0., 0.}})));
  CHECK(all_close(weights_of_2_4_5({{"capacity", 4}, {"normalise", "before"}}),
                  torch::tensor({{0., .731059, 0.}, {0., .268941, .731059}, {.622459, 0., 0.}})));
}

TEST_CASE("with three slots t5 loses both choices and t4 its second") {
  const Json after = {{"capacity", 3}};
  CHECK(route_to_two(after).statistics.dropped_T.equal(torch::tensor({0, 0, 1, 0, 1, 2}, torch::kInt64)));
  CHECK(all_close(weights_of_2_4_5(after), torch::tensor({{0., 1., 0.}, {0., 0., 1.}, {0., 0., 0.}})));
  CHECK(all_close(weights_of_2_4_5({{"capacity", 3}, {"normalise", "before"}}),
                  torch::tensor({{0., .731059, 0.}, {0., 0., .731059}, {0., 0., 0.}})));
}

TEST_CASE("the random policy keeps the second with twice its share of the two probabilities") {
  constexpr std::int64_t count = 100000;
  // Chi-square with one degree of freedom; 15.1 is passed by chance once in 10,000.
  const auto chi_square = [&](const std::vector<double>& logits, double expected) {
    const double seen = share_of_seconds(logits, {{"second", "random"}}, count);
    return count * (seen - expected) * (seen - expected) / (expected * (1 - expected));
  };
  CHECK(chi_square({2, 1, 0}, .537883) < 15.1);
  CHECK(chi_square({3, 0, 0}, .094852) < 15.1);
}

TEST_CASE("the threshold policy keeps the second if its share is above the threshold, none never") {
  CHECK(share_of_seconds({2, 1, 0}, {{"second", "threshold"}}, 4) == 1);  // .268941 > .2
  CHECK(share_of_seconds({3, 0, 0}, {{"second", "threshold"}}, 4) == 0);  // .047426
  CHECK(share_of_seconds({2, 1, 0}, {{"second", "threshold"}, {"threshold", 0.27}}, 4) == 0);
  CHECK(share_of_seconds({2, 1, 0}, {{"second", "none"}}, 4) == 0);
}

TEST_CASE("a skipped second is not a dropped one, and its weight goes to the first only with normalise after") {
  const RoutingPlan after = route_to_two({{"second", "none"}});
  CHECK(after.statistics.skipped == 6);
  CHECK(after.assignment.count() == 6);
  CHECK(after.statistics.dropped_T.sum().item<std::int64_t>() == 0);
  CHECK(all_close(after.assignment.weight_M, torch::ones({6}), 1e-6));
  const RoutingPlan before = route_to_two({{"second", "none"}, {"normalise", "before"}});
  CHECK(all_close(combine(before, 6), torch::tensor({.731059, .768525, 2 * .731059, .952574, 3 * .731059, .622459})));
}

TEST_CASE("the sampling policy draws the second from the probabilities of the others") {
  constexpr std::int64_t count = 100000;
  const auto router = build_on_logits("gshard", 3, {{"second", "sampling"}});
  const RoutingPlan plan = router->route(torch::tensor({{2.0, 1.5, 0.0}}).expand({count, 3}), one_sentence(count));
  CHECK(plan.assignment.load(0) == count);  // always first, never second
  const double seen = static_cast<double>(plan.assignment.load(1)) / count;
  CHECK(count * (seen - .817574) * (seen - .817574) / (.817574 * .182426) < 15.1);
  CHECK(plan.assignment.load(1) + plan.assignment.load(2) == count);
  // The probabilities stay clean: t with expert 2 has weights .574097 and .077696 over their sum.
  const std::int64_t token = plan.assignment.token_M[-1].item<std::int64_t>();
  CHECK(all_close(weight_table(plan, count)[token], torch::tensor({.880796, 0., .119204})));
}

TEST_CASE("evaluation always uses the second best, whatever the policy") {
  const torch::Tensor expected_TE = weight_table(route_to_two(Json::object(), Phase::evaluate), 6);
  for (const char* second : {"sampling", "random", "threshold", "none"}) {
    CHECK(weight_table(route_to_two({{"second", second}}, Phase::evaluate), 6).equal(expected_TE));
  }
}

TEST_CASE("the gradient of gshard's weights agrees with central differences in float64") {
  for (const char* normalise : {"none", "before", "after"}) {
    for (const std::int64_t capacity : {3, 4, 6}) {
      CAPTURE(normalise, capacity);
      const auto router = build_on_logits("gshard", 3, {{"normalise", normalise}, {"capacity", capacity}});
      const auto output = [&](const torch::Tensor& x_TD) {
        return (combine(router->route(x_TD, one_sentence(6)), 6) * torch::arange(1, 7)).sum();
      };
      torch::Tensor x_TD = fixture_logits(torch::kFloat64);
      x_TD[3][1] = 0.1;  // away from the tie
      CHECK(gradient_error(output, x_TD) < 1e-7);
    }
  }
}

TEST_CASE("a lone survivor brings no gradient when weights are normalised after, but does before") {
  const auto gate_gradient = [](const char* normalise) {
    const auto router = build_on_logits("gshard", 3, {{"second", "none"}, {"normalise", normalise}});
    combine(router->route(fixture_logits(), one_sentence(6)), 6).sum().backward();
    return router->named_parameters()["weight"].grad().abs().max().item<double>();
  };
  CHECK(gate_gradient("after") < 1e-6);
  CHECK(gate_gradient("before") > 1e-2);
}

TEST_CASE("gshard-paper has 2 S / E slots in training") {
  const auto router = build_on_logits("gshard-paper", 4);
  const torch::Tensor x_TD = torch::tensor({{9., 8., 0., 0.}}).expand({10, 4});
  CHECK(router->route(x_TD, one_sentence(10)).assignment.load(0) == 5);
  CHECK(router->route(x_TD, one_sentence(10)).assignment.load(1) == 5);
  CHECK(router->route(x_TD, one_sentence(10, Phase::evaluate)).assignment.load(0) == 10);
}

TEST_CASE("gshard needs two experts") {
  ConfigErrors errors;
  find_router("gshard").resolve({{"experts", 1}}, "strategy", errors);
  REQUIRE(errors.sentences().size() == 1);
  CHECK(errors.sentences()[0] == "strategy.experts: found 1, allowed is at least 2.");
}

TEST_CASE("the random policy goes by the raw probability or a threshold where other projects do") {
  constexpr std::int64_t count = 100000;
  const auto chi_square = [&](const std::vector<double>& logits, const char* by, double expected) {
    const double seen = share_of_seconds(logits, {{"second", "random"}, {"second_probability", by}}, count);
    return count * (seen - expected) * (seen - expected) / (expected * (1 - expected));
  };
  CHECK(chi_square({2, 1, 0}, "raw", .489457) < 15.1);
  CHECK(chi_square({3, 0, 0}, "raw", .090557) < 15.1);
  CHECK(chi_square({3, 0, 0}, "threshold", .237129) < 15.1);
  CHECK(share_of_seconds({2, 1, 0}, {{"second", "random"}, {"second_probability", "threshold"}}, 1000) == 1);
}

TEST_CASE("a raw second weight keeps its probability beside a normalised first") {
  const torch::Tensor table_TE = weight_table(route_to_two({{"normalise", "before"}, {"second_weight", "raw"}}), 6);
  CHECK(all_close(table_TE[0], torch::tensor({.731059, .244728, 0.})));
}

TEST_CASE("the policy of training holds at evaluation when asked") {
  const RoutingPlan plan = route_to_two({{"second", "none"}, {"second_at_evaluation", "trained"}}, Phase::evaluate);
  CHECK(plan.assignment.count() == 6);
}

TEST_CASE("masked expert outputs leave 1 - q of an output on average, and exactly that at evaluation") {
  constexpr std::int64_t count = 20000;
  const auto router = build_on_logits("gshard", 3, {{"expert_output_masking", 0.2}});
  const auto mean_weight = [&](Phase phase) {
    const RoutingPlan plan = router->route(torch::zeros({count, 3}), one_sentence(count, phase));
    return plan.assignment.weight_M.sum().item<double>() / count;
  };
  CHECK(mean_weight(Phase::train) == Approx(.8).margin(.01));  // 4 sigma of 40,000 halves
  CHECK(mean_weight(Phase::evaluate) == Approx(.8).margin(1e-5));
  const RoutingPlan plan = router->route(torch::zeros({count, 3}), one_sentence(count));
  CHECK(plan.assignment.count() == 2 * count);
  CHECK(plan.assignment.weight_M.masked_select(plan.assignment.weight_M > 0)
            .allclose(torch::full({1}, .5)));  // not scaled up
}

TEST_CASE("masked elements are 1 on average in training, and 1 - q at evaluation all the same") {
  constexpr std::int64_t count = 5000;
  const auto router = build_on_logits("gshard", 3, {{"expert_output_masking", 0.2}, {"masked_outputs", "elements"}});
  const RoutingPlan plan = router->route(torch::zeros({count, 3}), one_sentence(count));
  CHECK(all_close(plan.assignment.weight_M, torch::full({2 * count}, .5), 1e-6));
  const torch::Tensor factor_MD = plan.io.output_factor_MD;
  REQUIRE(factor_MD.sizes() == torch::IntArrayRef({2 * count, 3}));
  CHECK(factor_MD.eq(0).logical_or(factor_MD.eq(1.25)).all().item<bool>());
  CHECK(factor_MD.mean().item<double>() == Approx(1).margin(.012));  // 4 sigma of 30,000 halves
  // Elements and the two choices of a token draw by themselves.
  CHECK(factor_MD.select(1, 0).ne(factor_MD.select(1, 1)).any().item<bool>());
  CHECK(factor_MD.narrow(0, 0, count).ne(factor_MD.narrow(0, count, count)).any().item<bool>());
  const RoutingPlan evaluation = router->route(torch::zeros({4, 3}), one_sentence(4, Phase::evaluate));
  CHECK(all_close(evaluation.assignment.weight_M, torch::full({8}, .4), 1e-6));
  CHECK_FALSE(evaluation.io.output_factor_MD.defined());
}

TEST_CASE("the loss of second places counts second choices by the probabilities without the first") {
  const auto loss = [](const Json& options) { return route_to_two(options).losses.balance.item<double>(); };
  // Second choices [1, 4, 1]; P = [1.000000, 3.048633, 1.951367] / 6; so 3 * 15.145899 / 36 = 1.262158.
  CHECK(loss({{"second_place_loss", 0.5}}) == Approx(1.102302 + 0.5 * 1.262158).margin(1e-5));
  CHECK(loss({{"second_place_loss", 0.5}, {"balance", "mesh_top_2"}}) ==
        Approx(1.297939 + 0.5 * 1.262158).margin(1e-5));
  // Before any policy.
  CHECK(loss({{"second_place_loss", 0.5}, {"balance", "mesh_top_2"}, {"second", "none"}}) ==
        Approx(1.297939 + 0.5 * 1.262158).margin(1e-5));

  // Where first choices are balanced by their weights, second ones still are by their probabilities.
  const double weighted = loss({{"balance", "hf_nllb"}});
  CHECK(loss({{"second_place_loss", 0.5}, {"balance", "hf_nllb"}}) == Approx(weighted + 0.5 * 1.262158).margin(1e-5));

  Tokens tokens = one_sentence(6);
  make_padding(tokens, 5);
  const auto padded = [&](const Json& options) {
    return build_on_logits("gshard", 3, options)->route(fixture_logits(), tokens).losses.balance.item<double>();
  };
  const double mesh_first = padded({{"balance", "mesh_top_2"}});
  CHECK(mesh_first == Approx(0.852943).margin(1e-5));
  // t5 is no choice, but Mesh counts its p in P: f [1, 3, 1] / 6, P = [1.574097, 2.579266, 1.846637] / 6.
  CHECK(padded({{"balance", "mesh_top_2"}, {"second_place_loss", 0.5}}) ==
        Approx(mesh_first + 0.5 * 3 * (1.574097 + 3 * 2.579266 + 1.846637) / 36).margin(1e-5));
  // Ours leaves it out: f [1, 3, 1] / 5, P = [1.000000, 2.231059, 1.768941] / 5.
  CHECK(padded({{"second_place_loss", 1}}) - padded(Json::object()) ==
        Approx(3 * (1.0 + 3 * 2.231059 + 1.768941) / 25).margin(1e-5));
}

TEST_CASE("the gradient of the loss of second places agrees with central differences in float64") {
  const auto router = build_on_logits("gshard", 3, {{"second_place_loss", 0.5}});
  const auto loss = [&](const torch::Tensor& x_TD) { return router->route(x_TD, one_sentence(6)).losses.balance; };
  torch::Tensor x_TD = fixture_logits(torch::kFloat64);
  x_TD[3][1] = 0.1;  // away from the tie
  CHECK(gradient_error(loss, x_TD) < 1e-7);
}

TEST_CASE("transformers' NLLB-MoE balances weights, and counts drops and padding for expert 0") {
  // Choices [4, 1, 1]; mean weights [3.343558, 1.693908, .962534] / 6.
  CHECK(route_to_two({{"balance", "hf_nllb"}}).losses.balance.item<double>() == Approx(16.030674 / 12).margin(1e-5));
  // With one slot t1, t3 and t5 lose their first choice, so f is [4, 1, 1] as before; t0, t2 and t4 keep it alone.
  CHECK(route_to_two({{"balance", "hf_nllb"}, {"capacity", 1}}).losses.balance.item<double>() ==
        Approx(3 * (4 + 1 + 1) / 36.0).margin(1e-5));
  Tokens tokens = one_sentence(6);
  make_padding(tokens, 4);
  const RoutingPlan plan = build_on_logits("gshard", 3, {{"balance", "hf_nllb"}})->route(fixture_logits(), tokens);
  // t4 is padding: f [5, 1, 0], weights [3.343558, 1.424967, .231475].
  CHECK(plan.losses.balance.item<double>() == Approx(3 * (5 * 3.343558 + 1.424967) / 36).margin(1e-5));
}

}  // namespace moe
