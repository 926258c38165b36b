#include "model/initialisation.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace moe {

TEST_CASE("the Xavier bound is the root of 6 over the sum of the fans") {
  CHECK(xavier_bound(2, 4) == Approx(1.0));
  CHECK(xavier_bound(512, 512) == Approx(0.0765466));
}

TEST_CASE("uniform parameters fill their range evenly") {
  const torch::Tensor values = uniform_parameter({100, 100}, 0.5, 1, "name").to(torch::kFloat64);
  CHECK(values.min().item<double>() >= -0.5);
  CHECK(values.max().item<double>() < 0.5);
  CHECK(values.mean().item<double>() == Approx(0).margin(4 * 0.5 / std::sqrt(3 * 1e4)));
  CHECK(values.square().mean().item<double>() == Approx(0.25 / 3).epsilon(0.04));
}

TEST_CASE("normal parameters have the deviation asked for, and tails") {
  const torch::Tensor values = normal_parameter({100, 100}, 0.5, 1, "name").to(torch::kFloat64);
  CHECK(values.mean().item<double>() == Approx(0).margin(4 * 0.5 / 100));
  CHECK(values.square().mean().item<double>() == Approx(0.25).epsilon(0.06));
  // 4.55 % of a normal distribution are beyond two deviations.
  CHECK(values.abs().gt(1).to(torch::kFloat64).mean().item<double>() == Approx(0.0455).margin(0.0085));
}

TEST_CASE("a parameter is a function of seed and name, and nothing else") {
  const torch::Tensor values = uniform_parameter({4, 3}, 1, 1, "a");
  CHECK(uniform_parameter({4, 3}, 1, 1, "a").equal(values));
  CHECK_FALSE(uniform_parameter({4, 3}, 1, 2, "a").equal(values));
  CHECK_FALSE(uniform_parameter({4, 3}, 1, 1, "b").equal(values));
  CHECK_FALSE(normal_parameter({4, 3}, 1, 1, "a").equal(normal_parameter({4, 3}, 1, 1, "b")));
}

TEST_CASE("expert 0 is the same for any number of experts, and the others are their own draws") {
  const torch::Tensor one = expert_parameter(1, 6, 5, false, 1, "w1");
  const torch::Tensor four = expert_parameter(4, 6, 5, false, 1, "w1");
  CHECK(four.sizes() == torch::IntArrayRef({4, 6, 5}));
  CHECK(four[0].equal(one[0]));
  for (std::int64_t e = 1; e < 4; ++e) CHECK_FALSE(four[e].equal(four[e - 1]));
  // The fan is that of one map, not of the stack.
  CHECK(four.abs().max().item<double>() <= xavier_bound(6, 5));
  CHECK(four.abs().max().item<double>() > 0.9 * xavier_bound(6, 5));
}

TEST_CASE("copied experts all start as expert 0") {
  const torch::Tensor copies = expert_parameter(3, 6, 5, true, 1, "w1");
  CHECK(copies[0].equal(expert_parameter(1, 6, 5, false, 1, "w1")[0]));
  CHECK(copies[1].equal(copies[0]));
  CHECK(copies[2].equal(copies[0]));
}

}  // namespace moe
