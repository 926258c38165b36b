#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moe {

double share_of_budget(const TrainingSettings& settings, const Spent& spent) {
  if (spent.updates >= settings.updates) return 1;
  double share = static_cast<double>(spent.updates) / static_cast<double>(settings.updates);
  if (settings.flops) share = std::max(share, spent.flops / *settings.flops);
  if (settings.seconds) share = std::max(share, spent.seconds / *settings.seconds);
  return std::min(share, 1.0);
}

double learning_rate_at(const TrainingSettings& settings, std::int64_t update, double share) {
  const auto now = static_cast<double>(update);
  const auto warmup = static_cast<double>(settings.warmup);
  if (update <= settings.warmup) return settings.learning_rate * (now / warmup);
  if (settings.schedule == "inverse_sqrt") return settings.learning_rate * std::sqrt(warmup / now);
  const double after_warmup = warmup / static_cast<double>(settings.updates);
  const double left = std::clamp((1 - share) / (1 - after_warmup), 0.0, 1.0);
  const bool linear = settings.schedule == "linear";
  return settings.learning_rate * (linear ? left : (1 - std::cos(std::numbers::pi * left)) / 2);
}

}  // namespace moe
