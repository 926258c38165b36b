#pragma once
// What a seed makes and what is worth its cost, among the points of one panel: objects with `strategy`, `bleu`, `cost`,
// `undertrained`, and where there are several seeds `deviation` and `seeds`.

#include "core/json.h"

#include <vector>

namespace moe {

/// Sets `band_low` and `band_high` of one point, a standard deviation over the seeds of one configuration (pooled over
/// the points that have several) to either side of `dense`, or where that is missing of the best. Of none where no
/// configuration has two seeds.
void add_noise_band(const std::vector<Json*>& points);

/// Sets `front` of the points that no settled point beats at the same cost or less, where there are two of them. An
/// undertrained point wins nothing.
void mark_front(std::vector<Json*> points, bool more_is_better);

}  // namespace moe
