#pragma once
// Comparing tensors with a stated tolerance, and gradients with finite differences.

#include "tests/support/catch.h"

#include <torch/types.h>

#include <functional>
#include <sstream>

namespace moe {

/// True when shapes agree and no element differs by more than `tolerance`; otherwise the failed check prints both.
/// The default fits golden values written with six decimals.
inline bool all_close(const torch::Tensor& actual, const torch::Tensor& expected, double tolerance = 1e-5) {
  const bool close =
      actual.sizes() == expected.sizes() &&
      (actual.numel() == 0 ||
       (actual.detach().to(torch::kFloat64) - expected.detach().to(torch::kFloat64)).abs().max().item<double>() <=
           tolerance);
  if (!close) {
    std::ostringstream text;
    text << "actual:\n" << actual << "\nexpected within " << tolerance << ":\n" << expected;
    UNSCOPED_INFO(text.str());
  }
  return close;
}

/// Largest difference between autograd's gradient of `function` at float64 `point` and central differences.
inline double gradient_error(const std::function<torch::Tensor(const torch::Tensor&)>& function,
                             const torch::Tensor& point) {
  constexpr double step = 1e-6;
  const torch::Tensor input = point.detach().clone().requires_grad_(true);
  function(input).backward();
  torch::Tensor numeric = torch::zeros_like(point);
  for (std::int64_t i = 0; i < point.numel(); ++i) {
    const auto moved = [&](double by) {
      torch::Tensor other = point.detach().clone();
      other.view(-1)[i] += by;
      return function(other).item<double>();
    };
    numeric.view(-1)[i] = (moved(step) - moved(-step)) / (2 * step);
  }
  return (input.grad() - numeric).abs().max().item<double>();
}

}  // namespace moe
