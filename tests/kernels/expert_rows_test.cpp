#include "kernels/experts/expert_rows.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/csrc/autograd/autograd.h>

namespace moe {
namespace {

constexpr std::int64_t combined_rows = 6, columns = 300;  // more than one block of columns

/// Row 0 has three pairs, rows 3 and 5 none.
torch::Tensor pairs() {
  return torch::tensor({0, 2, 0, 1, 4, 0, 1}, torch::kInt64);
}

torch::Tensor rows_reference(const torch::Tensor& y_MD, const torch::Tensor& weight_M) {
  const torch::Tensor weighted = weight_M.defined() ? y_MD * weight_M.unsqueeze(1) : y_MD;
  return torch::zeros({combined_rows, columns}, y_MD.options()).index_add(0, pairs(), weighted);
}

}  // namespace

TEST_CASE("rows are combined as by index_add, with its gradients") {
  for (const bool weighted : {true, false}) {
    CAPTURE(weighted);
    const torch::Tensor y_MD = noise({7, columns}, 0, torch::kFloat64).requires_grad_(true);
    const torch::Tensor weight_M = weighted ? noise({7}, 1, torch::kFloat64).requires_grad_(true) : torch::Tensor();
    const torch::Tensor expected = rows_reference(y_MD, weight_M);
    CHECK(all_close(unpermute_rows(y_MD.detach(), pairs(), weight_M, combined_rows), expected, 1e-12));
    const torch::Tensor upstream = noise({combined_rows, columns}, 2, torch::kFloat64);
    const UnpermuteGradients ours =
        unpermute_rows_backward(upstream, pairs(), weight_M, weighted ? y_MD.detach() : torch::Tensor());
    std::vector<torch::Tensor> inputs{y_MD};
    if (weighted) inputs.push_back(weight_M);
    const auto theirs = torch::autograd::grad({(expected * upstream).sum()}, inputs);
    CHECK(all_close(ours.y_MD, theirs[0], 1e-12));
    CHECK(ours.weight_M.defined() == weighted);
    if (weighted) CHECK(all_close(ours.weight_M, theirs[1], 1e-11));
  }
}

TEST_CASE("bfloat16 rows are added in float32") {
  const torch::Tensor y_MD = noise({7, columns}, 0, torch::kBFloat16);
  const torch::Tensor expected = rows_reference(y_MD.to(torch::kFloat32), {}).to(torch::kBFloat16);
  CHECK(unpermute_rows(y_MD, pairs(), {}, combined_rows).equal(expected));
}

TEST_CASE("rows are gathered to pairs, and results of one pair each placed in their rows") {
  for (const bool weighted : {true, false}) {
    const torch::Tensor token_M = torch::tensor({4, 0, 5, 1}, torch::kInt64), x_TD = noise({combined_rows, columns}, 0);
    const torch::Tensor weight_M = noise({4}, 1), gathered_MD = torch::empty({4, columns});
    const torch::Tensor placed_TD = torch::zeros({combined_rows, columns});
    const auto* token = token_M.const_data_ptr<std::int64_t>();
    permute_rows(x_TD.const_data_ptr<float>(), token, 4, columns, gathered_MD.data_ptr<float>());
    CHECK(gathered_MD.equal(x_TD.index_select(0, token_M)));
    scatter_rows(gathered_MD.const_data_ptr<float>(), weighted ? weight_M.const_data_ptr<float>() : nullptr, token, 4,
                 columns, placed_TD.data_ptr<float>());
    const torch::Tensor expected_TD =
        unpermute_rows(gathered_MD, token_M, weighted ? weight_M : torch::Tensor(), combined_rows);
    CHECK(placed_TD.equal(expected_TD));
  }
}

TEST_CASE("relu's way back masks the gradient and sums its rows") {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    const torch::Tensor hidden = torch::relu(noise({9, columns}, 0, type));
    torch::Tensor grad = noise({9, columns}, 1, type), bias = torch::empty({columns}, type);
    const torch::Tensor expected = grad * (hidden > 0);
    relu_backward_(grad, hidden, bias);
    CHECK(grad.equal(expected));
    CHECK(all_close(bias, expected.sum(0), 1e-5));
  }
}

}  // namespace moe
