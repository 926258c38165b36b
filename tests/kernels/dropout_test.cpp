#include "kernels/dropout.h"

#include "core/error.h"
#include "core/random.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

namespace moe {
namespace {

constexpr std::uint64_t key = 0x0123456789abcdefULL;

torch::Tensor drop_factors(std::int64_t count, double rate, std::uint64_t of_key = key) {
  return dropout_factors(count, rate, of_key, torch::TensorOptions(torch::kFloat32));
}

/// Counts through 1, 2, ...: no element is 0, so zeros in the output are drops.
torch::Tensor counting(std::int64_t count, torch::Dtype dtype = torch::kFloat32) {
  return torch::arange(1, count + 1, torch::kFloat64).remainder(251).add(1).to(dtype);
}

}  // namespace

TEST_CASE("the kernel drops what its reference drops, at sizes around and beyond its blocks") {
  for (const std::int64_t count : {1, 3, 255, 256, 257, 1000, 200 * 256 + 17}) {
    CAPTURE(count);
    const torch::Tensor x = counting(count);
    CHECK(keyed_dropout(x, 0.3, key).equal(x * drop_factors(count, 0.3)));
    CHECK(all_close(residual_dropout(2 * x, x, 0.3, key), 2 * x + x * drop_factors(count, 0.3), 1e-4));
  }
}

TEST_CASE("the factors follow from the key and the index, computed word by word") {
  const torch::Tensor factor = drop_factors(11, 0.25);
  const double keep = std::lround(0.75 * 65536);
  for (std::int64_t i = 0; i < 11; ++i) {
    const std::uint64_t word = mix(key + static_cast<std::uint64_t>(i / 4));
    const std::uint64_t bits = (word >> (16 * (i % 4))) & 0xFFFF;
    CHECK(factor[i].item<float>() == (static_cast<double>(bits) < keep ? static_cast<float>(65536 / keep) : 0.0F));
  }
}

TEST_CASE("dropout keeps each element as often as asked, and scales so that the mean stays") {
  constexpr std::int64_t count = 1 << 20;
  for (const double rate : {0.1, 0.5, 0.9}) {
    const torch::Tensor kept = drop_factors(count, rate);
    const double share = kept.gt(0).to(torch::kFloat64).mean().item<double>();
    const double deviation = std::sqrt(rate * (1 - rate) / count);
    CHECK(std::abs(share - (1 - rate)) < 4 * deviation);
    CHECK(kept.max().item<double>() == Approx(1 / (1 - rate)).epsilon(1e-4));
    CHECK(kept.to(torch::kFloat64).mean().item<double>() == Approx(1).margin(4 * deviation / (1 - rate)));
  }
}

TEST_CASE("other keys give other masks, and a key gives one mask") {
  const torch::Tensor x = counting(4096);
  CHECK(keyed_dropout(x, 0.5, key).equal(keyed_dropout(x, 0.5, key)));
  const torch::Tensor both = keyed_dropout(x, 0.5, key).ne(0) * keyed_dropout(x, 0.5, mix(key)).ne(0);
  CHECK(both.to(torch::kFloat64).mean().item<double>() == Approx(0.25).margin(4 * std::sqrt(0.25 * 0.75 / 4096)));
}

TEST_CASE("the gradient passes through the same mask, and whole through the residual") {
  constexpr std::int64_t count = 777;
  torch::Tensor x = counting(count).requires_grad_(true);
  torch::Tensor residual = counting(count).requires_grad_(true);
  const torch::Tensor upstream = torch::linspace(-1, 1, count);

  (keyed_dropout(x, 0.4, key) * upstream).sum().backward();
  CHECK(x.grad().equal(upstream * drop_factors(count, 0.4)));

  x.mutable_grad().zero_();
  (residual_dropout(residual, x, 0.4, key) * upstream).sum().backward();
  CHECK(x.grad().equal(upstream * drop_factors(count, 0.4)));
  CHECK(residual.grad().equal(upstream));
}

TEST_CASE("dropout takes any shape and layout, and float64 and bfloat16") {
  const torch::Tensor x = counting(300).view({10, 30});
  const torch::Tensor transposed = x.t().contiguous().t();
  CHECK(keyed_dropout(transposed, 0.3, key).equal(keyed_dropout(x, 0.3, key)));
  for (const torch::Dtype dtype : {torch::kFloat64, torch::kBFloat16}) {
    const torch::Tensor dropped = keyed_dropout(x.to(dtype), 0.3, key);
    CHECK(dropped.scalar_type() == dtype);
    CHECK(dropped.ne(0).equal(keyed_dropout(x, 0.3, key).ne(0)));
    const double relative = dtype == torch::kFloat64 ? 1e-6 : 1.0 / 128;
    CHECK(all_close(dropped / x, drop_factors(300, 0.3).view({10, 30}), 2 * relative));
  }
  // Under autocast the branch is bfloat16 and the residual float32.
  const torch::Tensor sum = residual_dropout(x, x.to(torch::kBFloat16), 0.3, key);
  CHECK(sum.scalar_type() == torch::kFloat32);
  CHECK(all_close(sum, x + x * drop_factors(300, 0.3).view({10, 30}), 1e-3));
}

TEST_CASE("each of several keys masks its part as it would alone, forward and backward") {
  const std::vector<std::uint64_t> keys = {key, mix(key)};
  for (const std::int64_t rows : {2, 34, 5000}) {
    CAPTURE(rows);
    torch::Tensor x = counting(rows * 33).view({rows, 33}).requires_grad_(true);
    const torch::Tensor expected =
        torch::cat({drop_factors(rows / 2 * 33, 0.3), drop_factors(rows / 2 * 33, 0.3, keys[1])}).view({rows, 33});
    const torch::Tensor dropped = keyed_dropout(x, 0.3, keys);
    CHECK(dropped.equal(x * expected));
    CHECK(all_close(residual_dropout(x, x, 0.3, keys), x + x * expected, 1e-4));
    dropped.sum().backward();
    CHECK(x.grad().equal(expected));
  }
  CHECK_THROWS_AS(keyed_dropout(counting(3), 0.3, keys), Error);
}

TEST_CASE("rate 0 changes nothing") {
  const torch::Tensor x = counting(10);
  CHECK(keyed_dropout(x, 0, key).equal(x));
  CHECK(residual_dropout(x, x, 0, key).equal(2 * x));
}

TEST_CASE("one thread and several drop the same bits") {
  const torch::Tensor x = counting(300 * 256 + 5);
  const WithThreads one(1);
  const torch::Tensor alone = keyed_dropout(x, 0.3, key);
  const WithThreads three(3);
  CHECK(keyed_dropout(x, 0.3, key).equal(alone));
}

}  // namespace moe
