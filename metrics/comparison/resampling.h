#pragma once
// What tests by resampling share: which sentences are drawn, and how counts of resamples become p values and intervals.

#include "metrics/statistics.h"

#include <cstdint>
#include <vector>

namespace moe {

/// As many sentences as a test set has, drawn from it with replacement. They depend on the arguments alone, so that
/// every system that is compared gets the same ones.
std::vector<std::uint32_t> resampled_sentences(std::uint64_t seed, int sample, std::size_t sentences);

/// (reached + 1) / (samples + 1), where `reached` samples were as extreme as what was seen. One is added to both
/// numbers, so that the test rejects no more often than its level says (Noreen 1989).
double p_of_count(std::size_t reached, std::size_t samples);

/// The interval between the values that have a share level / 2 of all values outside at each end, rounded down to whole
/// values. `ascending` must be sorted and have an entry.
Interval central_interval(const std::vector<double>& ascending, double level);

}  // namespace moe
