#include "kernels/adamw.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adamw.h>
#include <torch/types.h>

#include <array>

namespace moe {
namespace {

/// Two tensors in three parts, one of which is not stepped; the larger one takes several blocks.
struct Model {
  std::array<torch::Tensor, 2> parameter, gradient, first, second;
  std::array<float, 3> steps = {0, 4, 7};

  explicit Model(torch::Dtype dtype = torch::kFloat32) {
    for (std::size_t i = 0; i < 2; ++i) {
      const std::vector<std::int64_t> shape =
          i == 0 ? std::vector<std::int64_t>{37} : std::vector<std::int64_t>{3, 5003};
      parameter[i] = noise(shape, 0).to(dtype);
      gradient[i] = noise(shape, 1).to(dtype);
      first[i] = noise(shape, 2).to(dtype) * 0.1;
      second[i] = uniform_noise(shape, 3).to(dtype) * 0.1;
    }
  }

  std::vector<AdamwPart> parts() {
    std::vector<AdamwPart> parts{{parameter[0], gradient[0], first[0], second[0], 0, 37, steps.data()}};
    for (const std::int64_t slice : {0, 2}) {
      parts.push_back({parameter[1], gradient[1], first[1], second[1], slice * 5003, 5003, &steps[slice == 0 ? 1 : 2]});
    }
    return parts;
  }
};

constexpr AdamwFactors factors{
    .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-9, .weight_decay = 0.1, .gradient_scale = 0.25};

}  // namespace

TEST_CASE("AdamW does what LibTorch's fused kernel does, in any dtype, and counts its steps") {
  const torch::Dtype dtype = GENERATE(torch::kFloat32, torch::kFloat64);
  Model model(dtype), reference(dtype);
  adamw_step(model.parts(), factors);
  std::array<float, 3> steps = reference.steps;
  for (const AdamwPart& part : reference.parts()) {
    const auto slice = [&](const torch::Tensor& tensor) { return tensor.view(-1).narrow(0, part.first, part.count); };
    const float step = ++steps[static_cast<std::size_t>(part.steps - reference.steps.data())];
    at::_fused_adamw_({slice(part.parameter)}, {slice(part.gradient)}, {slice(part.first_moment)},
                      {slice(part.second_moment)}, {}, {torch::tensor(step)}, factors.learning_rate, factors.beta1,
                      factors.beta2, factors.weight_decay, factors.epsilon, false, false, torch::tensor(4.0F), {});
  }
  CHECK(model.steps == steps);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(all_close(model.parameter[i], reference.parameter[i], 1e-6));
    CHECK(all_close(model.first[i], reference.first[i], 1e-6));
    CHECK(all_close(model.second[i], reference.second[i], 1e-6));
  }
  CHECK(model.parameter[1][1].equal(Model(dtype).parameter[1][1]));  // in no part
}

TEST_CASE("the norm is that of all parts together, for any number of threads") {
  Model model, precise(torch::kFloat64);
  const std::vector<AdamwPart> parts = model.parts();
  const double norm = gradient_norm(parts);
  const auto& gradient = precise.gradient;
  const torch::Tensor stepped = torch::cat({gradient[0], gradient[1][0], gradient[1][2]});
  CHECK(norm == Approx(stepped.norm().item<double>()).epsilon(1e-6));
  CHECK(gradient_norm(precise.parts()) == Approx(norm).epsilon(1e-6));
  const WithThreads others(at::get_num_threads() == 1 ? 2 : 1);
  CHECK(gradient_norm(parts) == norm);
  CHECK(gradient_norm({}) == 0);
}

}  // namespace moe
