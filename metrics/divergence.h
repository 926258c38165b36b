#pragma once
// How different several distributions over the same things are.

#include <optional>
#include <vector>

namespace moe {

/// Jensen-Shannon divergence of distributions (each scaled to sum 1; equal weights), nats: the entropy of their mean
/// less the mean of their entropies. Distributions without any mass are left out; nothing for fewer than two others.
std::optional<double> jensen_shannon_divergence(const std::vector<std::vector<double>>& distributions);

/// The same over the largest value that is possible: ln of the number of distributions or of things, whichever is
/// smaller. From 0, all alike, to 1.
std::optional<double> relative_divergence(const std::vector<std::vector<double>>& distributions);

}  // namespace moe
