#pragma once
// The *undertrained* mark: a run that was cut while it still learned must not be compared as if it were done.

#include "core/json.h"

#include <optional>

namespace moe {

/// How much the validation loss fell over the last fifth of the updates, as a share of the loss at its start: (L(0.8 U)
/// - L(U)) / L(0.8 U), with L between two validations interpolated linearly. None for a curve of fewer than two points.
std::optional<double> last_fifth_improvement(const Json& curve);

/// By how much the loss of the scored model, a mean of weights, exceeds that of the last weights, as a share of it. A
/// mean that lags behind was taken while the weights still went somewhere.
double lag_of_mean(double scored_loss, double last_loss);

/// Above this share, of either, a run is marked.
inline constexpr double undertrained_above = 0.005;

}  // namespace moe
