#include "kernels/losses/cross_entropy.h"

#include "kernels/losses/symmetric_kl.h"
#include "tests/kernels/waves.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

namespace moe {
namespace {

/// The same from a table of soft targets and tensor operations.
torch::Tensor soft_target_reference(const torch::Tensor& logit_NV, const torch::Tensor& target_N,
                                    double label_smoothing) {
  const double others = static_cast<double>(logit_NV.size(1) - 1);
  torch::Tensor soft_NV = torch::full_like(logit_NV, label_smoothing / others);
  soft_NV.scatter_(1, target_N.unsqueeze(1), 1.0 - label_smoothing);
  return -(soft_NV * logit_NV.log_softmax(-1)).sum();
}

torch::Tensor wavy_logits(std::int64_t rows, std::int64_t vocabulary, torch::Dtype dtype) {
  const torch::Tensor index = torch::arange(rows * vocabulary, torch::kFloat64).view({rows, vocabulary});
  return (4 * torch::sin(index * 1.7) + torch::cos(index * 0.31)).to(dtype);
}

}  // namespace

TEST_CASE("cross entropy of two tokens over three ids, worked out by hand") {
  const torch::Tensor target_N = torch::tensor({0, 1}, torch::kInt64);
  const torch::Tensor first_NV = torch::tensor({{0.7, 0.2, 0.1}, {0.1, 0.8, 0.1}}, torch::kFloat64).log();
  const torch::Tensor second_NV = torch::tensor({{0.5, 0.3, 0.2}, {0.2, 0.6, 0.2}}, torch::kFloat64).log();
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kFloat64}) {
    const CrossEntropy first = cross_entropy(first_NV.to(dtype), target_N, 0.1);
    const CrossEntropy second = cross_entropy(second_NV.to(dtype), target_N, 0.1);
    CHECK(first.smoothed.scalar_type() == dtype);
    CHECK(first.smoothed.item<double>() == Approx(0.947696).margin(1e-6));
    CHECK(second.smoothed.item<double>() == Approx(1.385190).margin(1e-6));
    CHECK(first.plain.item<double>() == Approx(-std::log(0.7) - std::log(0.8)).margin(1e-6));
    const torch::Tensor consistency = symmetric_kl(first_NV.to(dtype), second_NV.to(dtype));
    const double objective = (first.smoothed + second.smoothed + 5 * consistency).item<double>();
    CHECK(objective == Approx(3.266190).margin(2e-6));
  }
}

TEST_CASE("without smoothing, both cross entropies are -log p of the target") {
  const CrossEntropy sums = cross_entropy(wavy_logits(5, 7, torch::kFloat64), spread_targets(5, 7), 0);
  CHECK(sums.smoothed.item<double>() == Approx(sums.plain.item<double>()).epsilon(1e-12));
}

TEST_CASE("cross entropy has the gradient of finite differences") {
  const torch::Tensor target_N = spread_targets(4, 6);
  const auto loss = [&](const torch::Tensor& logit_NV) {
    return 1.5 * cross_entropy(logit_NV, target_N, 0.1).smoothed;
  };
  CHECK(gradient_error(loss, wavy_logits(4, 6, torch::kFloat64)) < 1e-7);
}

TEST_CASE("cross entropy in float32 follows its float64 reference, value and gradient") {
  constexpr std::int64_t rows = 37, vocabulary = 1003;
  const torch::Tensor target_N = spread_targets(rows, vocabulary);
  torch::Tensor logit_NV = wavy_logits(rows, vocabulary, torch::kFloat32).requires_grad_(true);
  torch::Tensor precise_NV = logit_NV.detach().to(torch::kFloat64).requires_grad_(true);
  const CrossEntropy sums = cross_entropy(logit_NV, target_N, 0.1);
  const torch::Tensor reference = soft_target_reference(precise_NV, target_N, 0.1);
  sums.smoothed.backward();
  reference.backward();
  CHECK(sums.smoothed.item<double>() == Approx(reference.item<double>()).epsilon(1e-6));
  CHECK(sums.plain.item<double>() ==
        Approx(soft_target_reference(precise_NV.detach(), target_N, 0).item<double>()).epsilon(1e-6));
  CHECK(all_close(logit_NV.grad(), precise_NV.grad(), 1e-6));
  CHECK_FALSE(sums.plain.requires_grad());
}

TEST_CASE("cross entropy of far apart logits is finite and exact") {
  const torch::Tensor target_N = torch::tensor({1, 0}, torch::kInt64);
  torch::Tensor logit_NV = torch::tensor({{0.0F, -120.0F}, {-200.0F, 200.0F}}).requires_grad_(true);
  const CrossEntropy sums = cross_entropy(logit_NV, target_N, 0.1);
  sums.smoothed.backward();
  CHECK(sums.plain.item<double>() == Approx(520));           // 120 + 400
  CHECK(sums.smoothed.item<double>() == Approx(0.9 * 520));  // the other id has -log p = 0
  CHECK(all_close(logit_NV.grad(), torch::tensor({{0.9F, -0.9F}, {-0.9F, 0.9F}}), 1e-6));
}

TEST_CASE("bfloat16 logits are summed in float32 and get a bfloat16 gradient") {
  const torch::Tensor target_N = spread_targets(9, 50);
  torch::Tensor logit_NV = wavy_logits(9, 50, torch::kBFloat16).requires_grad_(true);
  torch::Tensor precise_NV = logit_NV.detach().to(torch::kFloat64).requires_grad_(true);
  const torch::Tensor loss = cross_entropy(logit_NV, target_N, 0.1).smoothed;
  const torch::Tensor reference = soft_target_reference(precise_NV, target_N, 0.1);
  loss.backward();
  reference.backward();
  CHECK(loss.scalar_type() == torch::kFloat32);
  CHECK(loss.item<double>() == Approx(reference.item<double>()).epsilon(1e-6));
  CHECK(logit_NV.grad().scalar_type() == torch::kBFloat16);
  CHECK(all_close(logit_NV.grad(), precise_NV.grad(), 4e-3));  // half a unit in the last of bfloat16's 8 bits, below 1
}

TEST_CASE("cross entropy is the same for any number of threads and takes strided logits") {
  // In float64 nothing is rounded away after the sum; 40,000 rows are more than LibTorch's own sum leaves to one
  // thread.
  const torch::Tensor target_N = spread_targets(40000, 5);
  const torch::Tensor index = torch::arange(200000, torch::kFloat64).square().view({40000, 5});
  const torch::Tensor logit_NV = 5 * torch::sin(0.37 * index);
  std::vector<double> sums;
  for (const int count : {1, 2, 3}) {
    const WithThreads threads(count);
    const CrossEntropy result = cross_entropy(logit_NV, target_N, 0.1);
    sums.push_back(result.smoothed.item<double>());
    CHECK(result.plain.item<double>() ==
          cross_entropy(logit_NV.t().contiguous().t(), target_N, 0.1).plain.item<double>());
  }
  CHECK(sums[0] == sums[1]);
  CHECK(sums[0] == sums[2]);
}

TEST_CASE("no row at all costs nothing") {
  torch::Tensor logit_NV = torch::empty({0, 5}).requires_grad_(true);
  const CrossEntropy sums = cross_entropy(logit_NV, torch::empty({0}, torch::kInt64), 0.1);
  sums.smoothed.backward();
  CHECK(sums.smoothed.item<double>() == 0);
  CHECK(logit_NV.grad().sizes() == torch::IntArrayRef({0, 5}));
}

}  // namespace moe
