#include "metrics/routing.h"

#include "core/error.h"
#include "metrics/statistics.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace moe {
namespace {

/// 0 / 0 is 0: nothing happened to nobody.
double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<double> shares(const std::vector<std::int64_t>& load) {
  const std::int64_t total = std::accumulate(load.begin(), load.end(), std::int64_t{0});
  std::vector<double> result;
  for (const std::int64_t count : load) result.push_back(share(count, total));
  return result;
}

/// Share of the tokens that choose alike in two evaluations.
double agreement(const std::vector<std::int64_t>& choice, const std::vector<std::int64_t>& other) {
  MOE_CHECK(choice.size() == other.size(), "Choices of {} tokens cannot be compared with those of {}.", choice.size(),
            other.size());
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < choice.size(); ++i) equal += choice[i] == other[i] ? 1 : 0;
  return share(equal, static_cast<std::int64_t>(choice.size()));
}

/// A probability that was added up may exceed 1 by a rounding error.
std::optional<double> confidence(const RoutingCounts& counts) {
  if (!counts.has_confidence || counts.tokens == 0) return std::nullopt;
  return std::min(1.0, counts.confidence_sum / static_cast<double>(counts.tokens));
}

/// Adds element by element; what has no elements yet takes the others' number.
void add_elements(const std::vector<std::int64_t>& later, std::vector<std::int64_t>& sum) {
  sum.resize(later.size(), 0);
  for (std::size_t i = 0; i < later.size(); ++i) sum[i] += later[i];
}

void add_elements(const std::vector<std::vector<std::int64_t>>& later, std::vector<std::vector<std::int64_t>>& sum) {
  sum.resize(later.size());
  for (std::size_t i = 0; i < later.size(); ++i) add_elements(later[i], sum[i]);
}

std::optional<std::vector<std::vector<double>>> co_activation(const RoutingCounts& counts) {
  std::vector<std::vector<double>> matrix;
  bool any = false;
  for (const auto& row : counts.together) {
    auto& row_shares = matrix.emplace_back();
    for (const std::int64_t tokens : row) {
      any = any || tokens > 0;
      row_shares.push_back(share(tokens, counts.tokens));
    }
  }
  return any ? std::optional(std::move(matrix)) : std::nullopt;
}

}  // namespace

void add_counts(const RoutingCounts& later, RoutingCounts& counts) {
  add_elements(later.load, counts.load);
  add_elements(later.direction_load, counts.direction_load);
  add_elements(later.together, counts.together);
  counts.tokens += later.tokens;
  counts.choices += later.choices;
  counts.dropped += later.dropped;
  counts.fully_dropped += later.fully_dropped;
  counts.skipped += later.skipped;
  counts.confidence_sum += later.confidence_sum;
  counts.has_confidence = counts.has_confidence || later.has_confidence;
  counts.choice.insert(counts.choice.end(), later.choice.begin(), later.choice.end());
}

RoutingFigures routing_metrics(const RoutingCounts& counts, const std::vector<std::vector<std::int64_t>>& earlier) {
  const std::vector<double> load(counts.load.begin(), counts.load.end());
  const double largest = *std::max_element(load.begin(), load.end());
  const double average = mean(load);
  RoutingFigures figures;
  figures.experts = std::ssize(load);
  figures.tokens = counts.tokens;
  figures.load = shares(counts.load);
  figures.coefficient_of_variation = coefficient_of_variation(load);
  figures.maximum_over_mean = average == 0 ? 0 : largest / average;
  figures.entropy = entropy(load);
  figures.dead_experts = std::count(load.begin(), load.end(), 0.0);
  figures.dropped = share(counts.dropped, counts.choices);
  figures.fully_dropped = share(counts.fully_dropped, counts.tokens);
  figures.skipped = share(counts.skipped, counts.tokens);
  figures.confidence = confidence(counts);
  for (const auto& direction : counts.direction_load) figures.direction_load.push_back(shares(direction));
  figures.co_activation = co_activation(counts);
  for (const auto& choice : earlier) figures.saturation.push_back(agreement(counts.choice, choice));
  if (!earlier.empty() && !counts.choice.empty()) figures.flip_rate = 1 - figures.saturation.back();
  return figures;
}

}  // namespace moe
