#include "kernels/experts/active_experts.h"

#include "kernels/gemm/select.h"

#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <queue>

namespace moe {
namespace {

constexpr std::int64_t fewest_shared_rows = 256;  ///< that all threads compute about as fast as each by itself
constexpr double imbalance_of_one = 1.25;         ///< of an expert against a thread's even share: the others would wait
constexpr double imbalance_of_schedule = 1.1;     ///< of the busiest thread against it

/// Largest first, to even out when threads finish.
void sort_by_size(std::vector<ActiveExpert>& experts) {
  std::stable_sort(experts.begin(), experts.end(),
                   [](const ActiveExpert& a, const ActiveExpert& b) { return a.assignments > b.assignments; });
}

/// How many assignments the busiest thread gets where whoever is free takes the next expert.
std::int64_t longest_work(std::vector<ActiveExpert>::const_iterator first,
                          std::vector<ActiveExpert>::const_iterator last, std::int64_t threads) {
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> work;  // the least on top
  for (std::int64_t t = 0; t < threads; ++t) work.push(0);
  std::int64_t longest = 0;
  for (; first != last; ++first) {
    const std::int64_t assignments = work.top() + first->assignments;
    work.pop();
    work.push(assignments);
    longest = std::max(longest, assignments);
  }
  return longest;
}

}  // namespace

ActiveExperts::ActiveExperts(const std::vector<std::int64_t>& offsets, const ExpertWeights& weights) {
  const torch::Tensor &w1_EFD = weights.w1_EFD, &w2_EDF = weights.w2_EDF;
  const torch::Dtype type = w1_EFD.scalar_type();
  const bool has_own = products_of(type).one_thread != Product::library && w1_EFD.is_cpu() && w1_EFD.is_contiguous() &&
                       w2_EDF.is_contiguous();
  const std::int64_t most_rows = most_rows_of_one_thread(type);
  std::int64_t inter_expert_assignments = 0;
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    const ActiveExpert used{static_cast<std::int64_t>(e), offsets[e], offsets[e + 1] - offsets[e]};
    if (used.assignments == 0) continue;
    const bool takes_one = has_own && offsets.size() > 2 && used.assignments <= most_rows;
    (takes_one ? inter_expert : intra_expert).push_back(used);
    if (takes_one) inter_expert_assignments += used.assignments;
  }
  sort_by_size(inter_expert);
  // An expert that the others would wait for is worth all threads.
  const std::int64_t threads = at::get_num_threads();
  const auto is_awaited = [&](std::vector<ActiveExpert>::const_iterator used) {
    const double even_share = static_cast<double>(inter_expert_assignments) / static_cast<double>(threads);
    if (static_cast<double>(used->assignments) > imbalance_of_one * even_share) return true;
    const auto longest = static_cast<double>(longest_work(used, inter_expert.cend(), threads));
    return used->assignments >= fewest_shared_rows && longest > imbalance_of_schedule * even_share;
  };
  auto awaited = inter_expert.cbegin();
  for (; awaited != inter_expert.cend() && is_awaited(awaited); ++awaited)
    inter_expert_assignments -= awaited->assignments;
  intra_expert.insert(intra_expert.end(), inter_expert.cbegin(), awaited);
  inter_expert.erase(inter_expert.cbegin(), awaited);
  if (w1_EFD.size(0) + 1 < std::ssize(offsets)) leave_out_others(offsets, weights);
}

void ActiveExperts::leave_out_others(const std::vector<std::int64_t>& offsets, const ExpertWeights& weights) {
  for (std::vector<ActiveExpert>* experts : {&intra_expert, &inter_expert}) {
    std::erase_if(*experts, [&](const ActiveExpert& used) {
      return used.expert < weights.first || used.expert >= weights.first + weights.w1_EFD.size(0);
    });
    for (ActiveExpert& used : *experts) {
      used.expert -= weights.first;
      used.first -= offsets[static_cast<std::size_t>(weights.first)];
    }
  }
}

std::vector<ActiveExpert> split_experts(const std::vector<ActiveExpert>& experts, std::int64_t most_rows) {
  std::vector<ActiveExpert> parts;
  for (const auto& [e, first, assignments] : experts) {
    const std::int64_t count = (assignments + most_rows - 1) / most_rows, rows = (assignments + count - 1) / count;
    for (std::int64_t row = 0; row < assignments; row += rows)
      parts.push_back({e, first + row, std::min(rows, assignments - row)});
  }
  sort_by_size(parts);
  return parts;
}

}  // namespace moe
