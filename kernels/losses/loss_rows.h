#pragma once
// The arithmetic of a row of logits that the losses share. Each loss compiles it into clones of its own.

#include "kernels/simd/vector_math.h"

#include <cmath>
#include <cstdint>

namespace moe {

/// How a target's probability is smoothed over V ids.
struct Smoothing {
  double on_target, off_target;  ///< of the target itself, and of each other id

  Smoothing(double label_smoothing, std::int64_t vocabulary)
      : on_target(1.0 - label_smoothing),
        off_target(vocabulary > 1 ? label_smoothing / static_cast<double>(vocabulary - 1) : 0.0) {}
};

template <class Scalar>
struct RowSums {
  Scalar logsumexp;
  Scalar logit_sum;  ///< sum of (logit - maximum)
  Scalar maximum;
};

/// `exponential`: where exp(logit - maximum) goes, which may be the logits' place, if they are kept.
template <bool keeps_exponentials, class Scalar>
MOE_INLINE RowSums<Scalar> sum_row(const Scalar* logit, std::int64_t vocabulary, Scalar* exponential) {
  Scalar maximum = logit[0];
#pragma omp simd reduction(max : maximum)
  for (std::int64_t v = 0; v < vocabulary; ++v) maximum = logit[v] > maximum ? logit[v] : maximum;
  Scalar exponentials = 0;
  Scalar shifted = 0;
#pragma omp simd reduction(+ : exponentials, shifted)
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar difference = logit[v] - maximum;
    const Scalar power = exp_nonpositive(difference);
    exponentials += power;
    shifted += difference;
    if constexpr (keeps_exponentials) exponential[v] = power;
  }
  return {maximum + std::log(exponentials), shifted, maximum};
}

struct RowLosses {
  double smoothed, plain;
};

/// All terms relative to the maximum, so that large logits cost no digits.
template <class Scalar>
RowLosses row_losses(const RowSums<Scalar>& sums, Scalar target_logit, const Smoothing& smoothing) {
  const double lse = static_cast<double>(sums.logsumexp) - static_cast<double>(sums.maximum);
  const double on = static_cast<double>(target_logit) - static_cast<double>(sums.maximum);
  const double others = static_cast<double>(sums.logit_sum) - on;
  return {lse - smoothing.on_target * on - smoothing.off_target * others, lse - on};
}

}  // namespace moe
