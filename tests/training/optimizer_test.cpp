#include "training/optimizer.h"

#include "core/error.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/training/fixture.h"

#include <torch/types.h>

#include <cmath>
#include <limits>
#include <set>

namespace moe {
namespace {

constexpr std::int64_t experts = 3;

/// Experts of both MoE layers in four steps: one is late, one rests in between, one always works.
const std::vector<std::vector<std::int64_t>> loads_of_steps = {{4, 0, 2}, {1, 0, 0}, {3, 5, 0}, {2, 1, 9}};

/// Names of the parameters that stack experts.
std::set<std::string> stacked_names(Transformer& model) {
  std::set<std::string> names;
  for (const auto& item : model.named_parameters()) {
    for (const auto& layer : model.moe_layers()) {
      for (const torch::Tensor& tensor : layer->expert_parameters()) {
        if (tensor.is_same(item.value())) names.insert(item.key());
      }
    }
  }
  return names;
}

/// A gradient for every parameter, zero where an expert had no token.
void set_gradients(Transformer& model, const std::vector<std::int64_t>& load, std::int64_t step) {
  const std::set<std::string> stacked = stacked_names(model);
  for (auto& item : model.named_parameters()) {
    const auto count = static_cast<double>(item.value().numel());
    torch::Tensor gradient = torch::arange(count).add(static_cast<double>(step)).sin().mul(0.01).view_as(item.value());
    for (std::int64_t e = 0; stacked.count(item.key()) > 0 && e < item.value().size(0); ++e) {
      if (load[static_cast<std::size_t>(e)] == 0) gradient[e].zero_();
    }
    item.value().mutable_grad() = gradient;
  }
}

/// Adam as Kingma and Ba (2015) write it, with decoupled decay, in float64, for one tensor.
struct SlowAdam {
  torch::Tensor value, first, second;
  int steps = 0;

  explicit SlowAdam(const torch::Tensor& start)
      : value(start.detach().to(torch::kFloat64)), first(torch::zeros_like(value)), second(torch::zeros_like(value)) {}

  void step(const torch::Tensor& gradient, double rate, const TrainingSettings& settings) {
    ++steps;
    const double b1 = settings.adam_beta1, b2 = settings.adam_beta2;
    const torch::Tensor g = gradient.to(torch::kFloat64);
    first = b1 * first + (1 - b1) * g;
    second = b2 * second + (1 - b2) * g * g;
    const torch::Tensor direction =
        (first / (1 - std::pow(b1, steps))) / ((second / (1 - std::pow(b2, steps))).sqrt() + settings.adam_epsilon);
    value = value - rate * settings.weight_decay * value - rate * direction;
  }
};

}  // namespace

TEST_CASE("stacked experts are stepped as separate tensors, each with its own moments and step count") {
  const std::string unused = GENERATE("none", "zero");
  TrainingSettings settings;
  settings.weight_decay = 0.1;
  settings.clip_norm = 0;
  settings.unused_expert_grad = unused;
  const auto model = tiny_transformer("switch", {{"experts", experts}});
  const std::set<std::string> stacked = stacked_names(*model);
  REQUIRE(stacked.size() == 8);  // four of each of two layers
  std::map<std::string, std::vector<SlowAdam>> slow;
  for (const auto& item : model->named_parameters()) {
    const std::int64_t parts = stacked.count(item.key()) > 0 ? experts : 1;
    for (std::int64_t e = 0; e < parts; ++e) slow[item.key()].emplace_back(parts > 1 ? item.value()[e] : item.value());
  }
  Optimizer optimizer(*model, settings);
  for (std::size_t step = 0; step < loads_of_steps.size(); ++step) {
    const auto& load = loads_of_steps[step];
    const double rate = 0.01 * static_cast<double>(step + 1);
    set_gradients(*model, load, static_cast<std::int64_t>(step));
    for (const auto& item : model->named_parameters()) {
      std::vector<SlowAdam>& parts = slow.at(item.key());
      for (std::size_t e = 0; e < parts.size(); ++e) {
        const bool whole = parts.size() == 1;
        if (!whole && load[e] == 0 && unused == "none") continue;
        const torch::Tensor gradient = item.value().grad();
        parts[e].step(whole ? gradient : gradient[static_cast<std::int64_t>(e)], rate, settings);
      }
    }
    optimizer.step(rate, {load, load});
  }
  for (const auto& item : model->named_parameters()) {
    const std::vector<SlowAdam>& parts = slow.at(item.key());
    for (std::size_t e = 0; e < parts.size(); ++e) {
      INFO(item.key() << " part " << e);
      const torch::Tensor actual = parts.size() == 1 ? item.value() : item.value()[static_cast<std::int64_t>(e)];
      CHECK(all_close(actual, parts[e].value, 2e-6));
    }
  }
}

TEST_CASE("an unused expert stands still bit for bit, or moves on by its momentum when asked to") {
  const std::string unused = GENERATE("none", "zero");
  TrainingSettings settings;
  settings.unused_expert_grad = unused;
  const auto model = tiny_transformer("switch", {{"experts", experts}});
  Optimizer optimizer(*model, settings);
  set_gradients(*model, {1, 1, 1}, 0);
  optimizer.step(0.01, {{1, 1, 1}, {1, 1, 1}});
  const auto state = state_of(optimizer);
  const torch::Tensor weight_EFD = model->moe_layers()[0]->expert_parameters()[0].detach().clone();

  set_gradients(*model, {1, 0, 1}, 1);
  optimizer.step(0.01, {{1, 0, 1}, {1, 0, 1}});
  const torch::Tensor now_EFD = model->moe_layers()[0]->expert_parameters()[0].detach();
  CHECK_FALSE(now_EFD[0].equal(weight_EFD[0]));
  CHECK(now_EFD[1].equal(weight_EFD[1]) == (unused == "none"));
  const auto after = state_of(optimizer);
  for (const std::string& name : stacked_names(*model)) {
    for (const std::string kind : {"first_moment.", "second_moment.", "steps."}) {
      const std::string key = "optimizer." + kind + name;
      INFO(key);
      CHECK(after.at(key)[1].equal(state.at(key)[1]) == (unused == "none"));
      CHECK_FALSE(after.at(key)[0].equal(state.at(key)[0]));
    }
  }
}

TEST_CASE("gradients are clipped by their norm over all parameters") {
  const auto moved = [](double clip_norm, double scale) {
    TrainingSettings settings;
    settings.clip_norm = clip_norm;
    settings.adam_epsilon = 1;  // so that the size of a step tells the size of the gradient
    const auto model = tiny_transformer("dense");
    Optimizer optimizer(*model, settings);
    set_gradients(*model, {1}, 0);
    double square = 0;
    for (auto& item : model->named_parameters()) {
      item.value().mutable_grad().mul_(scale);
      square += item.value().grad().to(torch::kFloat64).square().sum().item<double>();
    }
    const double norm = optimizer.step(1.0, {{1}, {1}});
    CHECK(norm == Approx(std::sqrt(square)).epsilon(1e-5));
    return std::pair(norm, model->named_parameters()["embedding"].detach().clone());
  };
  const auto [norm, free] = moved(0, 1);
  REQUIRE(norm > 0.5);
  CHECK(moved(norm * 1.01, 1).second.equal(free));
  // Clipped to half its norm is the same as half the gradient.
  CHECK(all_close(moved(norm / 2, 1).second, moved(0, 0.5).second, 1e-7));
  CHECK_FALSE(all_close(moved(norm / 2, 1).second, free, 1e-4));
}

TEST_CASE("a gradient that is not a number fails the run and changes nothing") {
  const double value = GENERATE(std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity());
  const auto model = tiny_transformer("switch", {{"experts", experts}});
  Optimizer optimizer(*model, TrainingSettings());
  const auto state = [&] {
    auto all = state_of(optimizer);
    for (const auto& item : model->named_parameters()) all[item.key()] = item.value().detach().clone();
    return all;
  };
  const auto before = state();
  set_gradients(*model, {1, 1, 1}, 0);
  model->named_parameters()["embedding"].mutable_grad()[5][0] = value;
  try {
    optimizer.step(0.1, {{1, 1, 1}, {1, 1, 1}});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::runs_failed);
    CHECK(std::string(error.what()) == "The gradient of embedding is not a finite number.");
  }
  CHECK(first_difference(before, state()).empty());
}

}  // namespace moe
