#include "training/trainer.h"

#include "core/error.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

struct Strategy {
  std::string router;
  Json options;
  std::int64_t passes;
};

const std::vector<Strategy> strategies = {{"dense", Json::object(), 1},
                                          {"switch", {{"experts", 3}, {"jitter", 0.1}}, 1},
                                          {"random", {{"experts", 3}}, 1},
                                          {"thor", {{"experts", 3}}, 2}};

TinyTraining& start(TinyTraining& run, const Strategy& strategy, std::int64_t accumulate) {
  run.training.accumulate = accumulate;
  run.objective.passes = strategy.passes;
  run.objective.consistency = strategy.passes == 2 ? 5 : 0;
  run.objective.balance_loss = strategy.router == "switch" ? 0.01 : 0;
  return run.start(strategy.router, strategy.options, 0.2);
}

std::vector<double> numbers(const StepReport& report) {
  return {static_cast<double>(report.update),
          report.learning_rate,
          report.cross_entropy,
          report.plain,
          report.consistency,
          report.balance,
          report.z,
          report.gradient_norm,
          static_cast<double>(report.target_tokens),
          report.flops};
}

std::vector<std::vector<double>> run_steps(Trainer& trainer, int count) {
  std::vector<std::vector<double>> reports;
  for (int i = 0; i < count; ++i) reports.push_back(numbers(trainer.step()));
  return reports;
}

}  // namespace

TEST_CASE("a run that was saved and loaded goes on bit for bit, across the end of an epoch") {
  constexpr int steps_before = 3, steps_after = 6;
  const TemporaryFolder folder;
  const std::int64_t accumulate = GENERATE(1, 2);
  for (const Strategy& strategy : strategies) {
    INFO(strategy.router << ", accumulate " << accumulate);
    TinyTraining straight;
    start(straight, strategy, accumulate);
    run_steps(*straight.trainer, steps_before);
    REQUIRE(straight.trainer->epochs() - std::floor(straight.trainer->epochs()) > 0);
    write_safetensors(folder.path() / "c.safetensors", {state_of(*straight.trainer), {}});
    const double epochs_before = straight.trainer->epochs();
    const auto reports = run_steps(*straight.trainer, steps_after);
    REQUIRE(std::floor(straight.trainer->epochs()) > std::floor(epochs_before));

    TinyTraining resumed;
    start(resumed, strategy, accumulate);
    resumed.trainer->load(read_safetensors(folder.path() / "c.safetensors"));
    CHECK(resumed.trainer->update() == steps_before);
    CHECK(resumed.trainer->epochs() == epochs_before);
    CHECK(run_steps(*resumed.trainer, steps_after) == reports);
    CHECK(first_difference(state_of(*straight.trainer), state_of(*resumed.trainer)).empty());
    CHECK(resumed.trainer->epochs() == straight.trainer->epochs());
    CHECK(resumed.trainer->flops() == straight.trainer->flops());
    CHECK(resumed.trainer->target_tokens() == straight.trainer->target_tokens());
  }
}

TEST_CASE("the same run twice is the same, and another seed is another run") {
  TinyTraining first, second, other;
  other.training.seed = 2;
  const auto reports = run_steps(*start(first, strategies[3], 1).trainer, 5);
  CHECK(run_steps(*start(second, strategies[3], 1).trainer, 5) == reports);
  CHECK(first_difference(state_of(*first.trainer), state_of(*second.trainer)).empty());
  CHECK(run_steps(*start(other, strategies[3], 1).trainer, 5) != reports);
}

TEST_CASE("all strategies see the same batches at the same learning rates") {
  std::vector<std::vector<std::int64_t>> tokens;
  for (const Strategy& strategy : strategies) {
    TinyTraining run;
    start(run, strategy, 2);
    tokens.emplace_back();
    for (int i = 0; i < 8; ++i) {
      const StepReport report = run.trainer->step();
      tokens.back().push_back(report.target_tokens);
      CHECK(report.learning_rate == Approx(3e-3 * (i + 1) / 10));
    }
    CHECK(tokens.back() == tokens.front());
  }
}

TEST_CASE("an epoch reads every sentence once") {
  TinyTraining run;
  run.start("dense");
  std::int64_t target_tokens = 0;
  for (const EncodedPair& pair : run.pairs) target_tokens += std::ssize(pair.target);
  while (run.trainer->epochs() < 1) run.trainer->step();
  CHECK(run.trainer->epochs() == 1);
  CHECK(run.trainer->target_tokens() == target_tokens);
}

TEST_CASE("two passes cost twice the FLOPs of one, three times a forward pass each") {
  TinyTraining one, two;
  two.objective.passes = 2;
  const StepReport once = one.start("dense").trainer->step();
  const StepReport twice = two.start("dense").trainer->step();
  CHECK(twice.flops == Approx(2 * once.flops));
  CHECK(once.flops > 0);
}

TEST_CASE("a step of thor changes at most the two experts that its passes drew") {
  TinyTraining run;
  run.objective = {.passes = 2, .consistency = 5};
  run.start("thor", {{"experts", 4}});
  for (int step = 0; step < 6; ++step) {
    const auto before = state_of(*run.trainer);
    run.trainer->step();
    const auto after = state_of(*run.trainer);
    for (const std::string layer : {"encoder_1", "decoder_1"}) {
      std::vector<bool> moved(4, false);
      int tensors = 0;
      for (const auto& [name, tensor] : after) {
        const bool is_expert = name.find(layer) != std::string::npos && tensor.dim() > 0 && tensor.size(0) == 4 &&
                               name.find(".router") == std::string::npos;
        if (!is_expert) continue;
        ++tensors;
        for (std::int64_t e = 0; e < 4; ++e) {
          if (!tensor[e].equal(before.at(name)[e])) moved[static_cast<std::size_t>(e)] = true;
        }
      }
      INFO(layer << " at step " << step);
      CHECK(tensors == 4 * 4);  // w1, b1, w2, b2, each with two moments and its steps
      const auto count = std::count(moved.begin(), moved.end(), true);
      CHECK(count >= 1);
      CHECK(count <= 2);
    }
  }
}

TEST_CASE("unused experts of thor move by their momentum when zero gradients are asked for") {
  TinyTraining run;
  run.training.unused_expert_grad = "zero";
  run.objective = {.passes = 2, .consistency = 5};
  run.start("thor", {{"experts", 3}});
  for (int step = 0; step < 12; ++step) run.trainer->step();  // every expert has had its turn
  const auto w1 = [&] { return run.model->moe_layers()[0]->expert_parameters()[0].detach().clone(); };
  const torch::Tensor before = w1();
  run.trainer->step();
  for (std::int64_t e = 0; e < 3; ++e) CHECK_FALSE(w1()[e].equal(before[e]));
}

TEST_CASE("gates that can learn and hear nothing are named by their layers") {
  struct Deaf : Router {
    Deaf() { register_parameter("weight", torch::ones({2})); }
    ExpertLayout layout() const override { return {}; }
    RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
      return make_plan(all_to(0, tokens), {}, {}, 1, x_TD.device());
    }
  };
  TinyTraining run;
  run.start("switch");
  CHECK(run.trainer->step().gates_without_gradient.empty());
  const TokenCounts counts = count_tokens(run.pairs, tiny_vocabulary);
  Transformer deaf(tiny_model_settings(), counts, 1, 1, [](const RouterContext&) { return std::make_shared<Deaf>(); });
  Trainer trainer(deaf, run.pairs, 1.0, run.training, run.objective, torch::kCPU);
  CHECK(trainer.step().gates_without_gradient == std::vector<std::size_t>{0, 1});
}

TEST_CASE("a loss that has left the numbers fails the run") {
  TinyTraining run;
  run.training.learning_rate = 1e30;
  run.start("dense");
  try {
    for (int step = 0; step < 10; ++step) run.trainer->step();
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::runs_failed);
    CHECK(std::string(error.what()).find("nan") + std::string(error.what()).find("inf") != std::string::npos);
  }
}

TEST_CASE("a checkpoint of another model is refused by name") {
  TinyTraining dense, thor;
  dense.start("dense");
  thor.start("thor", {{"experts", 3}});
  CHECK_THROWS_AS(thor.trainer->load({state_of(*dense.trainer), {}}), Error);
}

}  // namespace moe
