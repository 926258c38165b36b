#include "kernels/experts/one_expert.h"

#include "kernels/simd/cpu_isa.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/kernels/matrix_views.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/types.h>

// Legend: N rows, D width, F hidden width.

namespace moe {
namespace {

/// An expert with noise for what it reads, and its results.
template <class Scalar>
struct Case {
  torch::Tensor x_ND, w1_FD, b1_F, w2_DF, b2_D, y_ND, hidden_NF;

  Case(std::int64_t N, std::int64_t D, std::int64_t F)
      : x_ND(small({N, D}, 0)),
        w1_FD(small({F, D}, 1)),
        b1_F(small({F}, 2)),
        w2_DF(small({D, F}, 3)),
        b2_D(small({D}, 4)),
        y_ND(torch::empty_like(x_ND)),
        hidden_NF(torch::empty({N, F}, x_ND.options())) {}

  static torch::Tensor small(at::IntArrayRef shape, int key) { return noise(shape, key, type_of<Scalar>) / 4; }
  static Scalar* data(torch::Tensor& tensor) { return tensor.data_ptr<Scalar>(); }

  OneExpert<Scalar> forward(bool keeps_hidden) {
    OneExpert<Scalar> expert{.rows = x_ND.size(0),
                             .width = x_ND.size(1),
                             .hidden_width = w1_FD.size(0),
                             .x = data(x_ND),
                             .w1 = data(w1_FD),
                             .w2 = data(w2_DF),
                             .hidden = keeps_hidden ? data(hidden_NF) : nullptr};
    one_expert_forward<Scalar>(expert, data(b1_F), data(b2_D), data(y_ND));
    return expert;
  }
};

torch::Tensor wide(const torch::Tensor& tensor) {
  return tensor.to(torch::kFloat64);
}

/// Sums of some hundred terms around 1, rounded once or twice to the type.
template <class Scalar>
void check_close(const torch::Tensor& actual, const torch::Tensor& expected) {
  constexpr double relative = std::is_same_v<Scalar, float> ? 1e-5 : 1.0 / 64;
  const torch::Tensor error = (wide(actual) - expected).abs();
  CHECK((error <= relative * (expected.abs() + 4)).all().template item<bool>());
}

template <class Scalar>
void check_expert(std::int64_t N, std::int64_t D, std::int64_t F) {
  CAPTURE(type_of<Scalar>, N, D, F);
  Case<Scalar> problem(N, D, F);
  problem.forward(/*keeps_hidden=*/false);
  const torch::Tensor alone = problem.y_ND.clone();
  const OneExpert<Scalar> expert = problem.forward(/*keeps_hidden=*/true);
  CHECK(problem.y_ND.equal(alone));
  check_close<Scalar>(problem.hidden_NF,
                      torch::addmm(wide(problem.b1_F), wide(problem.x_ND), wide(problem.w1_FD).t()).relu());
  const torch::Tensor hidden_NF = wide(problem.hidden_NF);  // rounded, as the second product and the way back read it
  check_close<Scalar>(problem.y_ND, torch::addmm(wide(problem.b2_D), hidden_NF, wide(problem.w2_DF).t()));

  torch::Tensor grad_y = Case<Scalar>::small({N, D}, 5), grad_x = torch::empty_like(problem.x_ND),
                grad_w1 = torch::empty_like(problem.w1_FD), grad_b1 = torch::empty_like(problem.b1_F),
                grad_w2 = torch::empty_like(problem.w2_DF), grad_b2 = torch::empty_like(problem.b2_D),
                grad_hidden = torch::empty_like(problem.hidden_NF);
  const auto data = [](torch::Tensor& tensor) { return tensor.data_ptr<Scalar>(); };
  one_expert_backward<Scalar>(expert, data(grad_y),
                              {.x = data(grad_x),
                               .w1 = data(grad_w1),
                               .b1 = data(grad_b1),
                               .w2 = data(grad_w2),
                               .b2 = data(grad_b2),
                               .hidden = data(grad_hidden)});
  const torch::Tensor expected_hidden = wide(grad_y).mm(wide(problem.w2_DF)) * (hidden_NF > 0);
  check_close<Scalar>(grad_hidden, expected_hidden);
  const torch::Tensor rounded_hidden = wide(grad_hidden);
  check_close<Scalar>(grad_b2, wide(grad_y).sum(0));
  check_close<Scalar>(grad_w2, wide(grad_y).t().mm(hidden_NF));
  check_close<Scalar>(grad_b1, rounded_hidden.sum(0));
  check_close<Scalar>(grad_w1, rounded_hidden.t().mm(wide(problem.x_ND)));
  check_close<Scalar>(grad_x, rounded_hidden.mm(wide(problem.w1_FD)));
}

}  // namespace

// Of few rows by dot products, of more with the rows transposed, in one slice or several, of many with packed weights;
// widths that fill vectors, and odd ones.
TEST_CASE("one expert is its formula and the derivative of it, for few rows and many") {
  if (!can_run(has_avx2)) return;
  for (const std::int64_t rows : {1, 16, 17, 40, 130}) {
    for (const auto& [width, hidden] : {std::pair<std::int64_t, std::int64_t>{48, 80}, {33, 47}, {320, 1000}}) {
      check_expert<float>(rows, width, hidden);
      check_expert<c10::BFloat16>(rows, width, hidden);
    }
  }
}

}  // namespace moe
