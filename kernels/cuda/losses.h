#pragma once
// Label-smoothed cross entropy and symmetric KL of rows of logits (kernels/losses/fused_linear_losses.h) on a GPU: a
// block of threads a target token, which turns its logits into their gradients.

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/team.h"

#include <cmath>

// Legend: P passes (1 or 2), N rows (target tokens), V vocabulary; p, q the distributions of a row in the two passes.

namespace moe::cuda {

struct LossWeights {
  double on_target, off_target;  ///< smoothed probability of the target itself, and of each other id
  float consistency;
};

template <class Stored>
struct TokenLosses {
  Stored* logit;             ///< [P, N, V]; their gradients take their place where `writes_gradient`
  std::int64_t pass_stride;  ///< from a pass to the next
  int passes, vocabulary;
  const std::int64_t* target;  ///< [N]
  LossWeights weights;
  bool writes_gradient;
  double *smoothed, *plain, *divergence;  ///< [N], sums over passes

  struct Row {
    float maximum, logsumexp;
    double smoothed, plain;
  };

  /// Terms relative to the maximum, so that large logits cost no digits.
  template <class Team>
  MOE_DEVICE Row row_of(const Team& team, const Stored* from, std::int64_t on) const {
    using Two = Sums<float, 2>;
    const float maximum =
        team.largest(vocabulary, to_float(from[0]), [&](std::int64_t v) { return to_float(from[v]); });
    const Two sums = team.template sum<Two>(vocabulary, [&](std::int64_t v) {
      const float shifted = to_float(from[v]) - maximum;
      return Two{{std::exp(shifted), shifted}};
    });
    const float logsumexp = maximum + std::log(sums.of[0]);
    const double lse = static_cast<double>(logsumexp) - static_cast<double>(maximum);
    const double of_target = static_cast<double>(to_float(from[on])) - static_cast<double>(maximum);
    const double others = static_cast<double>(sums.of[1]) - of_target;
    return {maximum, logsumexp, lse - weights.on_target * of_target - weights.off_target * others, lse - of_target};
  }

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t n) const {
    const std::int64_t on = target[n];
    Stored* first = logit + n * vocabulary;
    const Row p_row = row_of(team, first, on);
    const auto off_target = static_cast<float>(weights.off_target);
    const auto above_off = static_cast<float>(weights.on_target - weights.off_target);
    const auto smoothed_target = [&](std::int64_t v) { return off_target + (v == on ? above_off : 0.0F); };
    if (passes == 1) {
      team.once([&] {
        smoothed[n] = p_row.smoothed;
        plain[n] = p_row.plain;
        divergence[n] = 0;
      });
      if (!writes_gradient) return;
      team.wait();  // for whoever still reads the target's logit
      team.each(vocabulary, [&](std::int64_t v) {
        first[v] = from_float<Stored>(std::exp(to_float(first[v]) - p_row.logsumexp) - smoothed_target(v));
      });
      return;
    }
    Stored* second = first + pass_stride;
    const Row q_row = row_of(team, second, on);
    using Two = Sums<float, 2>;
    const Two kl = team.template sum<Two>(vocabulary, [&](std::int64_t v) {
      const float log_p = to_float(first[v]) - p_row.logsumexp, log_q = to_float(second[v]) - q_row.logsumexp;
      return Two{{std::exp(log_p) * (log_p - log_q), std::exp(log_q) * (log_q - log_p)}};
    });
    team.once([&] {
      smoothed[n] = p_row.smoothed + q_row.smoothed;
      plain[n] = p_row.plain + q_row.plain;
      divergence[n] = (static_cast<double>(kl.of[0]) + static_cast<double>(kl.of[1])) / 2;
    });
    if (!writes_gradient) return;
    // d KL(p || q) / d a_j = p_j (log p_j - log q_j - KL(p || q)) and d KL(q || p) / d a_j = p_j - q_j for logits a of
    // p.
    const float half = weights.consistency / 2;
    team.each(vocabulary, [&](std::int64_t v) {
      const float log_p = to_float(first[v]) - p_row.logsumexp, log_q = to_float(second[v]) - q_row.logsumexp;
      const float p = std::exp(log_p), q = std::exp(log_q), ratio = log_p - log_q;
      first[v] = from_float<Stored>(p - smoothed_target(v) + half * (p * (ratio - kl.of[0]) + p - q));
      second[v] = from_float<Stored>(q - smoothed_target(v) + half * (q * (-ratio - kl.of[1]) + q - p));
    });
  }
};

/// Stored: float or Bf16. `rows`: N.
template <class Stored>
void run(const TokenLosses<Stored>& body, std::int64_t rows, Stream stream);

/// sum[i] = the sum of values[i * rows .. (i + 1) * rows), each by one block of threads in a fixed order.
struct SumsOfRows {
  const double* values;
  std::int64_t rows;
  double* sum;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t i) const {
    using One = Sums<double, 1>;
    const One all = team.template sum<One>(rows, [&](std::int64_t n) { return One{{values[i * rows + n]}}; });
    team.once([&] { sum[i] = all.of[0]; });
  }
};
void run(const SumsOfRows& body, std::int64_t sums, Stream stream);

}  // namespace moe::cuda
