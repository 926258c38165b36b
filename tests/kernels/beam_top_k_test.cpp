#include "kernels/beam_top_k.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// All continuations of one sentence, best first, in float64.
std::vector<std::pair<double, std::int64_t>> slow_continuations(const torch::Tensor& logit_KV, const float* scores,
                                                                const std::vector<std::int64_t>& never) {
  torch::Tensor score_KV = logit_KV.to(torch::kFloat64).log_softmax(1);
  for (const std::int64_t id : never) score_KV.select(1, id).fill_(-infinity);
  std::vector<std::pair<double, std::int64_t>> all;
  for (std::int64_t k = 0; k < logit_KV.size(0); ++k) {
    for (std::int64_t v = 0; v < logit_KV.size(1); ++v) {
      all.emplace_back(score_KV[k][v].item<double>() + static_cast<double>(scores[k]), k * logit_KV.size(1) + v);
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  return all;
}

}  // namespace

TEST_CASE("the best continuations are those of a full sort") {
  for (const std::int64_t vocabulary : {7, 64, 1000}) {
    for (const std::int64_t beams : {1, 4}) {
      CAPTURE(vocabulary, beams);
      constexpr std::int64_t sentences = 3;
      const std::int64_t count = std::min<std::int64_t>(2 * beams, vocabulary);
      const torch::Tensor logit_RV = 3 * noise({sentences * beams, vocabulary}, 0);
      std::vector<float> scores;
      for (std::int64_t r = 0; r < sentences * beams; ++r) scores.push_back(-static_cast<float>(r % 5));
      const BeamTopK best = beam_top_k(logit_RV, scores, beams, count, {0, 2});
      for (std::int64_t b = 0; b < sentences; ++b) {
        const auto expected =
            slow_continuations(logit_RV.narrow(0, b * beams, beams), scores.data() + b * beams, {0, 2});
        for (std::int64_t n = 0; n < count; ++n) {
          CHECK(best.index_BN[b][n].item<std::int64_t>() == expected[static_cast<std::size_t>(n)].second);
          CHECK(best.score_BN[b][n].item<double>() == Approx(expected[static_cast<std::size_t>(n)].first).margin(1e-5));
        }
      }
    }
  }
}

TEST_CASE("equal scores go by rising index") {
  const BeamTopK best = beam_top_k(torch::zeros({2, 500}), {0.0F, 0.0F}, 2, 4, {1});
  CHECK(best.index_BN[0].equal(torch::tensor({0, 2, 3, 4}, torch::kInt64)));
}

TEST_CASE("beams that do not exist yet and ids that never come fill up when nothing else is left") {
  const torch::Tensor logit_RV = torch::tensor({{0.0F, 2.0F, 1.0F}, {5.0F, 0.0F, 0.0F}});
  const BeamTopK best = beam_top_k(logit_RV, {0.0F, -infinity}, 2, 4, {0});
  CHECK(best.index_BN[0].narrow(0, 0, 2).equal(torch::tensor({1, 2}, torch::kInt64)));
  CHECK(best.score_BN[0].narrow(0, 2, 2).eq(-infinity).all().item<bool>());
}

TEST_CASE("a logit that is not a finite number makes its sentence's first score NaN, and no other's") {
  for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), infinity}) {
    for (const std::int64_t row : {2, 3}) {
      CAPTURE(wrong, row);
      torch::Tensor logit_RV = torch::zeros({6, 200});  // three sentences with two beams each
      logit_RV[row][150] = wrong;
      const BeamTopK best = beam_top_k(logit_RV, std::vector<float>(6, 0.0F), 2, 4, {0});
      CHECK(std::isnan(best.score_BN[1][0].item<float>()));
      for (const std::int64_t other : {0, 2}) {
        CHECK(best.score_BN[other][0].item<double>() == Approx(-std::log(200.0)));
      }
    }
  }
}

TEST_CASE("large logits overflow nothing") {
  const BeamTopK best = beam_top_k(torch::tensor({{300.0F, -300.0F, 299.0F}}), {-2.0F}, 1, 2, {});
  CHECK(best.score_BN[0][0].item<double>() == Approx(-2 - std::log1p(std::exp(-1.0))).margin(1e-4));
  CHECK(best.index_BN[0].equal(torch::tensor({0, 2}, torch::kInt64)));
}

}  // namespace moe
