#include "harness/report/charts/efficiency/noise_and_front.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace moe {
namespace {

/// The standard deviation over seeds of one configuration, pooled over those that have several.
std::optional<double> noise_floor(const std::vector<Json*>& points) {
  double squares = 0, freedom = 0;
  for (const Json* point : points) {
    if (!point->contains("deviation")) continue;
    const double free = (*point)["seeds"].get<double>() - 1;
    const double deviation = (*point)["deviation"].get<double>();
    squares += free * deviation * deviation;
    freedom += free;
  }
  return freedom > 0 ? std::optional(std::sqrt(squares / freedom)) : std::nullopt;
}

}  // namespace

void add_noise_band(const std::vector<Json*>& points) {
  const std::optional<double> noise = noise_floor(points);
  if (!noise) return;
  const auto dense =
      std::find_if(points.begin(), points.end(), [](const Json* p) { return (*p)["strategy"] == "dense"; });
  const auto best = std::max_element(points.begin(), points.end(), [](const Json* a, const Json* b) {
    return (*a)["bleu"].get<double>() < (*b)["bleu"].get<double>();
  });
  Json& centre = **(dense != points.end() ? dense : best);
  centre["band_low"] = centre["bleu"].get<double>() - *noise;
  centre["band_high"] = centre["bleu"].get<double>() + *noise;
}

void mark_front(std::vector<Json*> points, bool more_is_better) {
  std::erase_if(points, [](const Json* point) { return (*point)["undertrained"].get<bool>(); });
  const auto cost = [&](const Json* point) {
    const double value = (*point)["cost"].get<double>();
    return more_is_better ? -value : value;
  };
  std::sort(points.begin(), points.end(), [&](const Json* a, const Json* b) {
    return std::pair(cost(a), -(*a)["bleu"].get<double>()) < std::pair(cost(b), -(*b)["bleu"].get<double>());
  });
  std::vector<Json*> front;
  for (Json* point : points) {
    if (front.empty() || (*point)["bleu"].get<double>() > (*front.back())["bleu"].get<double>()) front.push_back(point);
  }
  if (front.size() < 2) return;  // one point is no front
  for (Json* point : front) (*point)["front"] = true;
}

}  // namespace moe
