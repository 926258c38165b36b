#include "training/evaluation.h"

#include "routers/inference.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <numeric>

namespace moe {
namespace {

/// -log p of one pair's target in float64, from a batch that holds nothing else.
double slow_loss(Transformer& model, const EncodedSet& set, std::int64_t member, std::int64_t draw) {
  const torch::NoGradGuard no_gradient;
  const ModelBatch batch = make_model_batch(make_batch(set, {member}), torch::kCPU);
  const ForwardContext pass{{Phase::evaluate, 0, 0, draw}};
  const Decoded decoded = model.decode(batch.target, model.encode(batch.source, pass), pass);
  const torch::Tensor log_probability_TV = model.logits(decoded.state_BTD[0]).to(torch::kFloat64).log_softmax(1);
  double sum = 0;
  const auto& target = set[static_cast<std::size_t>(member)].target;
  for (std::size_t t = 0; t < target.size(); ++t) {
    sum -= log_probability_TV[static_cast<std::int64_t>(t)][target[t]].item<double>();
  }
  return sum;
}

std::int64_t total_of(const std::vector<std::int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

}  // namespace

TEST_CASE("the loss of a set is that of its sentences one by one, direction by direction") {
  const std::string router = GENERATE("dense", "switch", "random", "thor");
  const Json options = router == "dense" ? Json::object() : Json{{"experts", 3}};
  ModelSettings settings = tiny_model_settings();
  settings.dropout = 0.5;  // none at evaluation
  const auto model = tiny_transformer(router, options, settings, 2);
  const EncodedSet set = tiny_pairs(9, 2);
  constexpr std::int64_t draw = 1;
  const SetLoss loss = evaluate_set(*model, set, 2, 40, draw, torch::kCPU);
  std::vector<double> sum(2, 0.0);
  std::vector<std::int64_t> tokens(2, 0);
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto direction = static_cast<std::size_t>(set[i].direction);
    sum[direction] += slow_loss(*model, set, static_cast<std::int64_t>(i), draw);
    tokens[direction] += static_cast<std::int64_t>(set[i].target.size());
  }
  INFO(router);
  CHECK(loss.tokens == tokens);
  for (std::size_t d = 0; d < 2; ++d) {
    CHECK(loss.sum[d] == Approx(sum[d]).epsilon(1e-5));
    CHECK(loss.per_token(d) == Approx(sum[d] / static_cast<double>(tokens[d])).epsilon(1e-5));
  }
  CHECK(loss.per_token() == Approx((sum[0] + sum[1]) / static_cast<double>(tokens[0] + tokens[1])).epsilon(1e-5));
}

TEST_CASE("a loss that is not a finite number is an error of the run, whatever the router") {
  for (const RouterEntry& entry : all_routers()) {
    if (entry.needs_labels) continue;
    for (const double wrong : {std::nan(""), 1e38}) {
      CAPTURE(entry.name, wrong);
      const auto model = tiny_transformer(entry.name);
      const torch::NoGradGuard no_gradient;
      for (auto& item : model->named_parameters()) item.value().fill_(wrong);
      try {
        evaluate_set(*model, tiny_pairs(6), 1, 40, 0, torch::kCPU);
        FAIL("no error");
      } catch (const Error& error) {
        CHECK(error.what() == std::string("The model's loss is not a finite number in the evaluation."));
        CHECK(error.status() == ExitStatus::runs_failed);
      }
    }
  }
}

TEST_CASE("a direction without sentences has no tokens and takes nothing from the others") {
  const auto model = tiny_transformer("dense");
  const SetLoss loss = evaluate_set(*model, tiny_pairs(6), 2, 40, 0, torch::kCPU);
  CHECK(loss.tokens[1] == 0);
  CHECK(loss.sum[1] == 0);
  CHECK(loss.per_token() == loss.per_token(0));
}

TEST_CASE("routing counts see every valid token of the set once") {
  const auto model = tiny_transformer("gshard", {{"experts", 3}}, tiny_model_settings(), 2);
  const EncodedSet set = tiny_pairs(9, 2);
  const SetLoss loss = evaluate_set(*model, set, 2, 40, 0, torch::kCPU);
  REQUIRE(loss.routing.size() == 2);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const RoutingCounts& counts = loss.routing[layer];
    std::int64_t tokens = 0;
    for (const EncodedPair& pair : set) tokens += std::ssize(layer == 0 ? pair.source : pair.target);
    CHECK(counts.tokens == tokens);
    CHECK(std::ssize(counts.choice) == tokens);
    CHECK(total_of(counts.load) + counts.dropped == counts.choices);
    CHECK(total_of(counts.direction_load[0]) + total_of(counts.direction_load[1]) == total_of(counts.load));
    // Both choices of every token are kept, so each token is together once, in both halves of the table.
    std::int64_t together = 0;
    for (const auto& row : counts.together) together += total_of(row);
    CHECK(together == 2 * tokens);
    CHECK(counts.has_confidence);
    const double confidence = counts.confidence_sum / static_cast<double>(tokens);
    CHECK(confidence >= 1.0 / 3);
    CHECK(confidence <= 1);
  }
}

TEST_CASE("choices come in the same order at every call, and a drawn router draws anew with the draw alone") {
  const auto model = tiny_transformer("thor", {{"experts", 4}});
  const EncodedSet set = tiny_pairs(30);
  const auto choice = [&](std::int64_t draw) {
    return evaluate_set(*model, set, 1, 40, draw, torch::kCPU).routing[1].choice;
  };
  CHECK(choice(0) == choice(0));
  CHECK(choice(0) != choice(1));
  CHECK_FALSE(evaluate_set(*model, set, 1, 40, 0, torch::kCPU).routing[0].has_confidence);
}

TEST_CASE("losses of sentences add up to the loss of the set, at temperature 1") {
  const auto model = tiny_transformer("switch", {{"experts", 3}}, tiny_model_settings(), 2);
  const EncodedSet set = tiny_pairs(9, 2);
  const SetLoss loss = evaluate_set(*model, set, 2, 40, 0, torch::kCPU);
  const SentenceLosses sentences = sentence_losses(*model, set, 40, 0, {1.0, 2.0}, torch::kCPU);
  REQUIRE(sentences.tokens.size() == set.size());
  for (std::size_t i = 0; i < set.size(); ++i) {
    CHECK(sentences.tokens[i] == std::ssize(set[i].target));
    CHECK(sentences.nats[0][i] == Approx(slow_loss(*model, set, static_cast<std::int64_t>(i), 0)).epsilon(1e-5));
  }
  CHECK(sentences.per_token(0) == Approx(loss.per_token()).epsilon(1e-5));
  CHECK(sentences.per_token(1) != Approx(loss.per_token()).epsilon(1e-3));
}

TEST_CASE("at the fitted temperature the loss is least") {
  TinyTraining run;
  run.start("dense");
  for (int step = 0; step < 60; ++step) run.trainer->step();
  const double fitted = fitted_temperature(*run.model, run.pairs, 40, torch::kCPU);
  REQUIRE(fitted > 0.25);
  REQUIRE(fitted < 4);
  const auto loss = [&](double temperature) {
    return sentence_losses(*run.model, run.pairs, 40, 0, {temperature}, torch::kCPU).per_token(0);
  };
  for (const double factor : {0.5, 0.9, 1.1, 2.0}) CHECK(loss(fitted * factor) > loss(fitted));
}

TEST_CASE("each way to evaluate drawn experts is that of a router with this option") {
  const EncodedSet set = tiny_pairs(9);
  const auto thor = tiny_transformer("thor", {{"experts", 3}});
  for (const char* mode : {"token", "sentence", "position_shared", "mean", "merged", "fixed:2"}) {
    CAPTURE(mode);
    constexpr std::int64_t draw = 1;
    const TargetPredictions found = predict_targets(*thor, set, 40, inference_named(mode), draw, torch::kCPU);
    const auto named = tiny_transformer("thor", {{"experts", 3}, {"inference", mode}});
    CHECK(found.nats_per_token ==
          Approx(evaluate_set(*named, set, 1, 40, draw, torch::kCPU).per_token()).epsilon(1e-6));
    CHECK(found.best_N.size() ==
          static_cast<std::size_t>(total_of(evaluate_set(*thor, set, 1, 40, 0, torch::kCPU).tokens)));
  }
  const auto of_random = [&](const char* mode) {
    return predict_targets(*tiny_transformer("random", {{"experts", 3}}), set, 40, inference_named(mode), 0,
                           torch::kCPU);
  };
  CHECK(of_random("fixed:0").best_N != of_random("fixed:1").best_N);
  CHECK(of_random("fixed:0").nats_per_token != of_random("mean").nats_per_token);
}

TEST_CASE("a swap costs a model nothing where nothing is swapped, and depends on the choices where something is") {
  const EncodedSet set = tiny_pairs(20);
  CHECK_FALSE(swapped_loss(*tiny_transformer("dense"), set, 40, RoutingSwap::shuffled, torch::kCPU));
  const auto thor = tiny_transformer("thor", {{"experts", 3}});
  CHECK_FALSE(swapped_loss(*thor, set, 40, RoutingSwap::second_best, torch::kCPU));
  CHECK(swapped_loss(*thor, set, 40, RoutingSwap::random, torch::kCPU));
  const auto model = tiny_transformer("switch", {{"experts", 3}});
  const double own = evaluate_set(*model, set, 1, 40, 0, torch::kCPU).per_token();
  for (const RoutingSwap swap : {RoutingSwap::shuffled, RoutingSwap::second_best, RoutingSwap::random}) {
    const std::optional<double> loss = swapped_loss(*model, set, 40, swap, torch::kCPU);
    REQUIRE(loss);
    CHECK(*loss != own);
    CHECK(*loss == swapped_loss(*model, set, 40, swap, torch::kCPU));
  }
}

}  // namespace moe
