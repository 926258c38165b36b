#include "training/undertrained.h"

namespace moe {

std::optional<double> last_fifth_improvement(const Json& curve) {
  if (curve.size() < 2) return std::nullopt;
  const double end = curve.back().at("update").get<double>();
  const double start = 0.8 * end;
  // The validations around the start of the last fifth; the first one stands for anything earlier.
  double loss_at_start = curve.front().at("valid_loss").get<double>();
  for (std::size_t i = 1; i < curve.size(); ++i) {
    const double left = curve[i - 1].at("update").get<double>();
    const double right = curve[i].at("update").get<double>();
    if (left > start || right < start || right == left) continue;
    const double share = (start - left) / (right - left);
    const double left_loss = curve[i - 1].at("valid_loss").get<double>();
    loss_at_start = left_loss + share * (curve[i].at("valid_loss").get<double>() - left_loss);
    break;
  }
  return (loss_at_start - curve.back().at("valid_loss").get<double>()) / loss_at_start;
}

double lag_of_mean(double scored_loss, double last_loss) {
  return (scored_loss - last_loss) / last_loss;
}

}  // namespace moe
