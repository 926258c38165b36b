#include "metrics/routing.h"

#include "core/error.h"
#include "metrics/statistics.h"

#include <algorithm>
#include <numeric>

namespace moe {
namespace {

/// 0 / 0 is 0: nothing happened to nobody.
double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Json shares(const std::vector<std::int64_t>& load) {
  const std::int64_t total = std::accumulate(load.begin(), load.end(), std::int64_t{0});
  Json result = Json::array();
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
Json confidence(const RoutingCounts& counts) {
  if (!counts.has_confidence || counts.tokens == 0) return {};
  return std::min(1.0, counts.confidence_sum / static_cast<double>(counts.tokens));
}

Json co_activation(const RoutingCounts& counts) {
  Json matrix = Json::array();
  bool any = false;
  for (const auto& row : counts.together) {
    Json shares = Json::array();
    for (const std::int64_t tokens : row) {
      any = any || tokens > 0;
      shares.push_back(share(tokens, counts.tokens));
    }
    matrix.push_back(std::move(shares));
  }
  return any ? matrix : Json();
}

}  // namespace

Json routing_figures(const RoutingCounts& counts, const std::vector<std::vector<std::int64_t>>& earlier) {
  const std::vector<double> load(counts.load.begin(), counts.load.end());
  const double largest = *std::max_element(load.begin(), load.end());
  const double average = mean(load);
  Json saturation = Json::array();
  for (const auto& choice : earlier) saturation.push_back(agreement(counts.choice, choice));
  const bool compared = !earlier.empty() && !counts.choice.empty();
  Json by_direction = Json::array();
  for (const auto& direction : counts.direction_load) by_direction.push_back(shares(direction));
  return {{"experts", load.size()},
          {"tokens", counts.tokens},
          {"load", shares(counts.load)},
          {"coefficient_of_variation", coefficient_of_variation(load)},
          {"maximum_over_mean", average == 0 ? 0 : largest / average},
          {"entropy", entropy(load)},
          {"dead_experts", std::count(load.begin(), load.end(), 0.0)},
          {"dropped", share(counts.dropped, counts.choices)},
          {"fully_dropped", share(counts.fully_dropped, counts.tokens)},
          {"skipped", share(counts.skipped, counts.tokens)},
          {"confidence", confidence(counts)},
          {"load_by_direction", by_direction},
          {"co_activation", co_activation(counts)},
          {"flip_rate", compared ? Json(1 - saturation.back().get<double>()) : Json()},
          {"saturation", saturation}};
}

}  // namespace moe
