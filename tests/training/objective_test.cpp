#include "training/objective.h"

#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace moe {
namespace {

const MicroBatch whole_update{.step = 3, .index = 0, .count = 1, .target_tokens = 50};

/// What one pass of an objective sees, computed again: every draw is a function of step and pass.
struct SlowPass {
  torch::Tensor log_probability_NV;  ///< float64
  std::vector<RoutingPlan> plans;

  double smoothed(const torch::Tensor& target_N, double smoothing) const {
    const torch::Tensor right_N = log_probability_NV.gather(1, target_N.unsqueeze(1)).squeeze(1);
    const torch::Tensor wrong_N = log_probability_NV.sum(1) - right_N;
    const auto others = static_cast<double>(log_probability_NV.size(1) - 1);
    return -((1 - smoothing) * right_N + smoothing / others * wrong_N).sum().item<double>();
  }
  double mean_balance() const {
    double sum = 0;
    for (const RoutingPlan& plan : plans) sum += plan.losses.balance.item<double>();
    return sum / static_cast<double>(plans.size());
  }
  double mean_z() const {
    double sum = 0;
    for (const RoutingPlan& plan : plans) sum += plan.losses.z.item<double>();
    return sum / static_cast<double>(plans.size());
  }
};

SlowPass run_pass(Transformer& model, const ModelBatch& batch, std::int64_t step, std::int64_t number) {
  const torch::NoGradGuard no_gradient;
  const ForwardContext pass{{Phase::train, step, number, 0}};
  const Memory memory = model.encode(batch.source, pass);
  const Decoded decoded = model.decode(batch.target, memory, pass);
  const torch::Tensor state_ND = decoded.state_BTD.flatten(0, 1).index_select(0, batch.target_row_N);
  SlowPass result{model.logits(state_ND).to(torch::kFloat64).log_softmax(1), memory.plans[0]};
  result.plans.insert(result.plans.end(), decoded.plans[0].begin(), decoded.plans[0].end());
  return result;
}

double slow_symmetric_kl(const SlowPass& p, const SlowPass& q) {
  const torch::Tensor difference_NV = p.log_probability_NV - q.log_probability_NV;
  return 0.5 * ((p.log_probability_NV.exp() - q.log_probability_NV.exp()) * difference_NV).sum().item<double>();
}

ModelSettings with_dropout() {
  ModelSettings settings = tiny_model_settings();
  settings.dropout = 0.3;
  return settings;
}

ModelBatch batch_of(std::int64_t count, std::int64_t first = 0) {
  return make_model_batch(tiny_batch(tiny_pairs(40), count, first), torch::kCPU);
}

/// Gradients by parameter, which are then cleared.
std::map<std::string, torch::Tensor> take_gradients(Transformer& model) {
  std::map<std::string, torch::Tensor> gradients;
  for (auto& item : model.named_parameters()) {
    if (!item.value().grad().defined()) continue;
    gradients[item.key()] = item.value().grad().clone();
    item.value().mutable_grad().reset();
  }
  return gradients;
}

}  // namespace

TEST_CASE("one pass is the smoothed cross entropy of its own draw, per target token of the update") {
  const auto model = tiny_transformer("dense", Json::object(), with_dropout());
  const ModelBatch batch = batch_of(6);
  const Losses losses = compute_losses(*model, batch, {.label_smoothing = 0.2}, whole_update);
  const SlowPass pass = run_pass(*model, batch, 3, 0);
  CHECK(losses.cross_entropy == Approx(pass.smoothed(batch.target_id_N, 0.2)).epsilon(1e-5));
  CHECK(losses.plain == Approx(pass.smoothed(batch.target_id_N, 0)).epsilon(1e-5));
  CHECK(losses.total.item<double>() == Approx(losses.cross_entropy / 50).epsilon(1e-6));
  CHECK(losses.consistency == 0);
  CHECK(losses.balance == 0);
}

TEST_CASE("two passes count both cross entropies in full, with auxiliary losses and consistency, over two") {
  const auto model = tiny_transformer("switch", {{"experts", 3}, {"jitter", 0.2}}, with_dropout());
  const ModelBatch batch = batch_of(6);
  const ObjectiveSettings objective{
      .passes = 2, .consistency = 5, .label_smoothing = 0.1, .balance_loss = 0.3, .z_loss = 0.2};
  // The second of four micro-batches: its passes are the third and fourth of the update.
  const MicroBatch micro{.step = 3, .index = 1, .count = 4, .target_tokens = 50};
  const Losses losses = compute_losses(*model, batch, objective, micro);
  const SlowPass first = run_pass(*model, batch, 3, 2), second = run_pass(*model, batch, 3, 3);
  const double entropy = first.smoothed(batch.target_id_N, 0.1) + second.smoothed(batch.target_id_N, 0.1);
  const double divergence = slow_symmetric_kl(first, second);
  REQUIRE(divergence > 0.1);
  const double balance = first.mean_balance() + second.mean_balance();
  const double z = first.mean_z() + second.mean_z();
  CHECK(losses.cross_entropy == Approx(entropy / 2).epsilon(1e-5));
  CHECK(losses.consistency == Approx(divergence).epsilon(1e-4));
  CHECK(losses.balance == Approx(balance).epsilon(1e-5));
  CHECK(losses.z == Approx(z).epsilon(1e-5));
  const double total = (entropy + 5 * divergence) / 50 + (0.3 * balance + 0.2 * z) / 4;
  CHECK(losses.total.item<double>() == Approx(total / 2).epsilon(1e-5));
}

TEST_CASE("two equal passes have no divergence at all, and the gradient of one") {
  const auto model = tiny_transformer("dense");
  const ModelBatch batch = batch_of(6);
  const Losses once = compute_losses(*model, batch, {}, whole_update);
  once.total.backward();
  const auto gradients = take_gradients(*model);
  const Losses twice = compute_losses(*model, batch, {.passes = 2, .consistency = 5}, whole_update);
  CHECK(twice.consistency == 0);
  CHECK(twice.cross_entropy == once.cross_entropy);
  twice.total.backward();
  for (const auto& [name, gradient] : take_gradients(*model)) {
    INFO(name);
    CHECK((gradient - gradients.at(name)).abs().max().item<double>() < 1e-6);
  }
}

TEST_CASE("two passes without consistency still report their divergence, and do not train on it") {
  const auto model = tiny_transformer("thor", {{"experts", 4}}, with_dropout());
  const ModelBatch batch = batch_of(6);
  const Losses losses = compute_losses(*model, batch, {.passes = 2}, whole_update);
  CHECK(losses.consistency == Approx(slow_symmetric_kl(run_pass(*model, batch, 3, 0), run_pass(*model, batch, 3, 1))));
  CHECK(losses.consistency > 0);
  CHECK(losses.total.item<double>() == Approx(losses.cross_entropy / 50).epsilon(1e-6));
}

TEST_CASE("an auxiliary loss without a weight is reported, and does not train") {
  const auto model = tiny_transformer("switch", {{"experts", 3}});
  const Losses losses = compute_losses(*model, batch_of(6), {}, whole_update);
  CHECK(losses.balance >= 1);  // 1 is a perfect balance
  CHECK(losses.z > 0);
  CHECK(losses.total.item<double>() == Approx(losses.cross_entropy / 50).epsilon(1e-6));
}

TEST_CASE("loads count the valid tokens of all passes, layer by layer") {
  const ModelBatch batch = batch_of(6);
  const auto source = batch.source.routing.valid, target = batch.target.routing.valid;
  REQUIRE(source < batch.source.routing.count());  // there is padding
  const auto model = tiny_transformer("thor", {{"experts", 4}});
  const Losses losses = compute_losses(*model, batch, {.passes = 2}, whole_update);
  REQUIRE(losses.loads.size() == 2);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const auto& load = losses.loads[layer];
    REQUIRE(load.size() == 4);
    std::int64_t sum = 0, used = 0;
    for (const std::int64_t pairs : load) {
      sum += pairs;
      used += pairs > 0;
    }
    CHECK(sum == 2 * (layer == 0 ? source : target));
    CHECK(used <= 2);
  }
}

TEST_CASE("the shares of micro-batches add up to the update's loss and gradient") {
  const auto model = tiny_transformer("dense");
  const EncodedSet pairs = tiny_pairs(40);
  const std::int64_t tokens = tiny_batch(pairs, 12).target_tokens;
  compute_losses(*model, batch_of(12), {}, {.step = 1, .target_tokens = tokens}).total.backward();
  const auto whole = take_gradients(*model);
  double total = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    const MicroBatch micro{.step = 1, .index = i, .count = 4, .target_tokens = tokens};
    const Losses losses = compute_losses(*model, batch_of(3, 3 * i), {}, micro);
    losses.total.backward();  // LibTorch adds to the gradients
    total += losses.cross_entropy / static_cast<double>(tokens);
  }
  CHECK(total ==
        Approx(compute_losses(*model, batch_of(12), {}, {.target_tokens = tokens}).total.item<double>()).epsilon(1e-6));
  const auto sums = take_gradients(*model);
  REQUIRE(sums.size() == whole.size());
  for (const auto& [name, gradient] : sums) {
    INFO(name);
    CHECK((gradient - whole.at(name)).abs().max().item<double>() < 1e-6);
  }
}

TEST_CASE("the balance loss of several layers is their mean, their sum, or one loss of each stack") {
  const ModelBatch batch = batch_of(6);
  ModelSettings settings = tiny_model_settings();
  settings.moe_every = 1;
  const auto model = tiny_transformer("switch", {{"experts", 4}}, settings);
  const SlowPass pass = run_pass(*model, batch, 3, 0);
  const std::size_t layers = pass.plans.size();
  REQUIRE(layers == 2 * static_cast<std::size_t>(settings.encoder_layers));
  const auto balance = [&](const char* rule) {
    const ObjectiveSettings objective{.balance_loss = 0.3, .balance_layers = rule};
    const Losses losses = compute_losses(*model, batch, objective, whole_update);
    CHECK(losses.total.item<double>() == Approx(losses.cross_entropy / 50 + 0.3 * losses.balance).margin(1e-5));
    return losses.balance;
  };
  CHECK(balance("mean") == Approx(pass.mean_balance()).margin(1e-6));
  CHECK(balance("sum") == Approx(pass.mean_balance() * static_cast<double>(layers)).margin(1e-5));

  // Of each stack, by hand: f and P of all its layers' tokens together.
  double expected = 0;
  for (const std::size_t first : {std::size_t{0}, layers / 2}) {
    torch::Tensor count_E = torch::zeros({4}, torch::kFloat64), sum_E = torch::zeros({4}, torch::kFloat64);
    for (std::size_t layer = first; layer < first + layers / 2; ++layer) {
      const RoutingPlan& plan = pass.plans[layer];
      const torch::Tensor valid_T = plan.statistics.choice_T >= 0;
      count_E += plan.statistics.choice_T.masked_select(valid_T).bincount({}, 4);
      sum_E +=
          plan.statistics.probability_TE.to(torch::kFloat64).masked_fill(valid_T.logical_not().unsqueeze(1), 0).sum(0);
    }
    const double tokens = count_E.sum().item<double>();
    expected += 4 * (count_E / tokens * (sum_E / tokens)).sum().item<double>();
  }
  CHECK(balance("concatenated") == Approx(expected).margin(1e-5));
}

}  // namespace moe
