#include "metrics/divergence.h"

#include "metrics/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moe {
namespace {

/// Those with mass, each scaled to sum 1.
std::vector<std::vector<double>> scaled(std::vector<std::vector<double>> distributions) {
  std::erase_if(distributions, [](const auto& mass) { return std::accumulate(mass.begin(), mass.end(), 0.0) <= 0; });
  for (std::vector<double>& mass : distributions) {
    const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
    for (double& share : mass) share /= total;
  }
  return distributions;
}

}  // namespace

std::optional<double> jensen_shannon_divergence(const std::vector<std::vector<double>>& distributions) {
  const auto shares = scaled(distributions);
  if (shares.size() < 2) return std::nullopt;
  std::vector<double> middle(shares.front().size());
  double own = 0;
  for (const std::vector<double>& share : shares) {
    for (std::size_t i = 0; i < middle.size(); ++i) middle[i] += share[i] / static_cast<double>(shares.size());
    own += entropy(share) / static_cast<double>(shares.size());
  }
  return std::max(entropy(middle) - own, 0.0);
}

std::optional<double> relative_divergence(const std::vector<std::vector<double>>& distributions) {
  const std::optional<double> nats = jensen_shannon_divergence(distributions);
  if (!nats || distributions.front().size() < 2) return std::nullopt;
  const auto most = std::min(scaled(distributions).size(), distributions.front().size());
  return *nats / std::log(static_cast<double>(most));
}

}  // namespace moe
