#include "kernels/losses/symmetric_kl.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

namespace moe {
namespace {

torch::Tensor kl_reference(const torch::Tensor& first_NV, const torch::Tensor& second_NV) {
  const torch::Tensor log_p = first_NV.log_softmax(-1), log_q = second_NV.log_softmax(-1);
  const torch::Tensor forward = (log_p.exp() * (log_p - log_q)).sum();
  const torch::Tensor backward = (log_q.exp() * (log_q - log_p)).sum();
  return (forward + backward) / 2;
}

torch::Tensor wavy_logits(std::int64_t rows, std::int64_t vocabulary, double frequency, torch::Dtype dtype) {
  const torch::Tensor index = torch::arange(rows * vocabulary, torch::kFloat64).view({rows, vocabulary});
  return (3 * torch::sin(index * frequency)).to(dtype);
}

double value(const torch::Tensor& first_NV, const torch::Tensor& second_NV) {
  return symmetric_kl(first_NV, second_NV).item<double>();
}

}  // namespace

TEST_CASE("divergence of two tokens over three ids, worked out by hand") {
  const torch::Tensor first_NV = torch::tensor({{0.7, 0.2, 0.1}, {0.1, 0.8, 0.1}}, torch::kFloat64).log();
  const torch::Tensor second_NV = torch::tensor({{0.5, 0.3, 0.2}, {0.2, 0.6, 0.2}}, torch::kFloat64).log();
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kFloat64}) {
    const torch::Tensor p = first_NV.to(dtype), q = second_NV.to(dtype);
    CHECK(value(p.narrow(0, 0, 1), q.narrow(0, 0, 1)) == Approx((0.085123 + 0.092033) / 2).margin(1e-6));
    CHECK(value(p.narrow(0, 1, 1), q.narrow(0, 1, 1)) == Approx(0.098083).margin(1e-6));
    CHECK(value(p, q) == Approx(0.186661).margin(1e-6));
    CHECK(value(q, p) == Approx(0.186661).margin(1e-6));
  }
}

TEST_CASE("the divergence of a distribution from itself is exactly 0, and so is its gradient") {
  torch::Tensor logit_NV = wavy_logits(20, 33, 1.7, torch::kFloat32).requires_grad_(true);
  const torch::Tensor divergence = symmetric_kl(logit_NV, logit_NV.detach());
  divergence.backward();
  CHECK(divergence.item<double>() == 0);
  CHECK(logit_NV.grad().abs().max().item<double>() == 0);
}

TEST_CASE("the divergence has the gradients of finite differences, on both sides") {
  const torch::Tensor first_NV = wavy_logits(3, 5, 1.7, torch::kFloat64);
  const torch::Tensor second_NV = wavy_logits(3, 5, 0.6, torch::kFloat64);
  CHECK(gradient_error([&](const torch::Tensor& x) { return 1.5 * symmetric_kl(x, second_NV); }, first_NV) < 1e-7);
  CHECK(gradient_error([&](const torch::Tensor& x) { return 1.5 * symmetric_kl(first_NV, x); }, second_NV) < 1e-7);
}

TEST_CASE("the divergence in float32 and bfloat16 follows its float64 reference, value and gradients") {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    torch::Tensor first_NV = wavy_logits(37, 1003, 1.7, dtype).requires_grad_(true);
    torch::Tensor second_NV = wavy_logits(37, 1003, 0.6, dtype).requires_grad_(true);
    torch::Tensor precise_first_NV = first_NV.detach().to(torch::kFloat64).requires_grad_(true);
    torch::Tensor precise_second_NV = second_NV.detach().to(torch::kFloat64).requires_grad_(true);
    const torch::Tensor divergence = symmetric_kl(first_NV, second_NV);
    const torch::Tensor expected = kl_reference(precise_first_NV, precise_second_NV);
    divergence.backward();
    expected.backward();
    CHECK(divergence.scalar_type() == torch::kFloat32);
    CHECK(divergence.item<double>() == Approx(expected.item<double>()).epsilon(1e-5));
    // Gradients are below 0.04 here; bfloat16 keeps 8 bits of them.
    const double tolerance = dtype == torch::kFloat32 ? 1e-7 : 0.04 / 256;
    CHECK(all_close(first_NV.grad(), precise_first_NV.grad(), tolerance));
    CHECK(all_close(second_NV.grad(), precise_second_NV.grad(), tolerance));
  }
}

TEST_CASE("the divergence stays finite where probabilities underflow") {
  torch::Tensor first_NV = torch::tensor({{0.0F, -120.0F}}).requires_grad_(true);
  torch::Tensor second_NV = torch::tensor({{0.0F, -110.0F}}).requires_grad_(true);
  const torch::Tensor close = symmetric_kl(first_NV, second_NV);
  close.backward();
  CHECK(close.item<double>() == Approx(0).margin(1e-30));
  CHECK(first_NV.grad().isfinite().all().item<bool>());
  CHECK(second_NV.grad().isfinite().all().item<bool>());

  // All mass on one id against all mass on the other: each direction is 400.
  torch::Tensor left_NV = torch::tensor({{200.0F, -200.0F}}).requires_grad_(true);
  const torch::Tensor far = symmetric_kl(left_NV, torch::tensor({{-200.0F, 200.0F}}));
  far.backward();
  CHECK(far.item<double>() == Approx(400));
  CHECK(all_close(left_NV.grad(), torch::tensor({{0.5F, -0.5F}}), 1e-6));
}

TEST_CASE("the divergence is the same for any number of threads") {
  const torch::Tensor index = torch::arange(24000, torch::kFloat64).square().view({8000, 3});
  const torch::Tensor first_NV = 5 * torch::sin(0.37 * index), second_NV = 5 * torch::cos(0.11 * index);
  std::vector<double> sums;
  for (const int count : {1, 2, 3}) {
    const WithThreads threads(count);
    sums.push_back(value(first_NV, second_NV));
  }
  CHECK(sums[0] == sums[1]);
  CHECK(sums[0] == sums[2]);
}

}  // namespace moe
