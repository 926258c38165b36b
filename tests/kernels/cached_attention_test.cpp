#include "kernels/attention/cached_attention.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

namespace moe {
namespace {

/// Row by row and head by head, in float64.
torch::Tensor slow_attention_step(const torch::Tensor& query_RD, const torch::Tensor& key_CPD,
                                  const torch::Tensor& value_CPD, const torch::Tensor& origin_RP,
                                  std::int64_t positions, std::int64_t heads) {
  torch::Tensor out_RD = torch::zeros({query_RD.size(0), query_RD.size(1)}, torch::kFloat64);
  const std::int64_t d = query_RD.size(1) / heads;
  for (std::int64_t r = 0; r < query_RD.size(0); ++r) {
    for (std::int64_t h = 0; h < heads; ++h) {
      torch::Tensor score_P = torch::empty({positions}, torch::kFloat64);
      const auto part = [&](const torch::Tensor& cache, std::int64_t p) {
        return cache[origin_RP[r][p].item<std::int64_t>()][p].narrow(0, h * d, d).to(torch::kFloat64);
      };
      const torch::Tensor q = query_RD[r].narrow(0, h * d, d).to(torch::kFloat64);
      for (std::int64_t p = 0; p < positions; ++p) score_P[p] = q.dot(part(key_CPD, p)) / std::sqrt(d);
      const torch::Tensor weight_P = score_P.softmax(0);
      for (std::int64_t p = 0; p < positions; ++p) out_RD[r].narrow(0, h * d, d) += weight_P[p] * part(value_CPD, p);
    }
  }
  return out_RD;
}

}  // namespace

TEST_CASE("a step attends to the positions where they lie, on rows that stand apart") {
  for (const auto& [rows, cached, workspace, positions, heads, d] :
       std::vector<std::array<std::int64_t, 6>>{{1, 1, 1, 1, 1, 4}, {5, 7, 9, 6, 2, 8}, {3, 10, 70, 67, 3, 20}}) {
    CAPTURE(rows, positions, heads, d);
    const std::int64_t width = heads * d;
    const torch::Tensor query_RD = noise({rows, 3 * width}, 0).narrow(1, 0, width);
    const torch::Tensor key_CPD = noise({cached, workspace, width}, 1),
                        value_CPD = noise({cached, workspace, width}, 2);
    const torch::Tensor origin_RP = random_indices({rows, workspace}, 3, cached);
    const torch::Tensor expected = slow_attention_step(query_RD, key_CPD, value_CPD, origin_RP, positions, heads);
    CHECK(all_close(cached_attention(query_RD, key_CPD, value_CPD, origin_RP, positions, heads),
                    expected.to(torch::kFloat32), 1e-5));
    const torch::Tensor other = cached_attention(query_RD.to(torch::kFloat64), key_CPD.to(torch::kFloat64),
                                                 value_CPD.to(torch::kFloat64), origin_RP, positions, heads);
    CHECK(all_close(other, expected, 1e-9));
  }
}

TEST_CASE("large scores overflow nothing") {
  const torch::Tensor query_RD = torch::full({1, 4}, 1e3),
                      key_CPD = torch::tensor({1e3, -1e3}).view({1, 2, 1}).repeat({1, 1, 4});
  const torch::Tensor out_RD =
      cached_attention(query_RD, key_CPD, torch::tensor({2.0, 5.0}).view({1, 2, 1}).repeat({1, 1, 4}),
                       torch::zeros({1, 2}, torch::kInt64), 2, 2);
  CHECK(all_close(out_RD, torch::full({1, 4}, 2.0), 1e-6));
}

}  // namespace moe
