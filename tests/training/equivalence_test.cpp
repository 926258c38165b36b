// With one expert, every router is the plain Transformer.
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <cmath>

namespace moe {
namespace {

constexpr int compared_updates = 200;

/// Label-smoothed cross entropy of every update.
std::vector<double> cross_entropies(const std::string& router, const Json& options, double balance_loss) {
  TinyTraining run;
  run.objective.balance_loss = balance_loss;
  run.start(router, options);
  std::vector<double> losses;
  for (int i = 0; i < compared_updates; ++i) losses.push_back(run.trainer->step().cross_entropy);
  return losses;
}

}  // namespace

TEST_CASE("with one expert and no dropout the routers give dense's losses for 200 updates") {
  const std::vector<double> dense = cross_entropies("dense", Json::object(), 0);
  REQUIRE(dense.back() < dense.front() - 1);  // there was something to learn
  for (const std::string router : {"switch", "frozen", "hash", "random", "thor"}) {
    const std::vector<double> losses = cross_entropies(router, {{"experts", 1}}, router == "switch" ? 0.01 : 0.0);
    double worst = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) worst = std::max(worst, std::abs(losses[i] - dense[i]));
    INFO(router);
    CHECK(worst < 1e-4);
  }
}

TEST_CASE("all strategies start from the same shared layers and expert 0") {
  const auto dense = tiny_transformer("dense")->named_parameters();
  for (const std::string router : {"switch", "gshard", "hash", "random", "thor"}) {
    const auto other = tiny_transformer(router, {{"experts", 3}})->named_parameters();
    for (const auto& item : dense) {
      INFO(router << " " << item.key());
      REQUIRE(other.find(item.key()) != nullptr);
      const torch::Tensor& tensor = other[item.key()];
      CHECK((tensor.sizes() == item.value().sizes() ? tensor : tensor.narrow(0, 0, 1)).equal(item.value()));
    }
  }
}

}  // namespace moe
