#include "kernels/experts/active_experts.h"

#include "kernels/gemm/select.h"

#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>

namespace moe {
namespace {

constexpr std::int64_t fewest_shared_rows = 256;  ///< that all threads compute about as fast as each by itself

/// So that threads end together.
void sort_by_size(std::vector<ActiveExpert>& experts) {
  std::stable_sort(experts.begin(), experts.end(),
                   [](const ActiveExpert& a, const ActiveExpert& b) { return a.pairs > b.pairs; });
}

/// How many pairs the busiest thread gets where whoever is free takes the next expert.
std::int64_t longest_work(std::vector<ActiveExpert>::const_iterator first,
                          std::vector<ActiveExpert>::const_iterator last, std::int64_t threads) {
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> work;  // the least on top
  for (std::int64_t t = 0; t < threads; ++t) work.push(0);
  std::int64_t longest = 0;
  for (; first != last; ++first) {
    const std::int64_t pairs = work.top() + first->pairs;
    work.pop();
    work.push(pairs);
    longest = std::max(longest, pairs);
  }
  return longest;
}

}  // namespace

ActiveExperts::ActiveExperts(const std::vector<std::int64_t>& offsets, const ExpertWeights& weights) {
  const torch::Tensor &w1_EFD = weights.w1_EFD, &w2_EDF = weights.w2_EDF;
  const Products& products = products_of(w1_EFD.scalar_type());
  const bool has_own =
      products.one_thread != Product::library && w1_EFD.is_cpu() && w1_EFD.is_contiguous() && w2_EDF.is_contiguous();
  const std::int64_t most_rows =
      products.linear == Product::library ? most_rows_beside_library : std::numeric_limits<std::int64_t>::max();
  std::int64_t pairs_by_one = 0;
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    const ActiveExpert used{static_cast<std::int64_t>(e), offsets[e], offsets[e + 1] - offsets[e]};
    if (used.pairs == 0) continue;
    const bool takes_one = has_own && offsets.size() > 2 && used.pairs <= most_rows;
    (takes_one ? inter_expert : intra_expert).push_back(used);
    if (takes_one) pairs_by_one += used.pairs;
  }
  sort_by_size(inter_expert);
  // An expert that the others would wait for is worth all threads.
  const std::int64_t threads = at::get_num_threads();
  const auto is_awaited = [&](std::vector<ActiveExpert>::const_iterator used) {
    if (4 * threads * used->pairs > 5 * pairs_by_one) return true;
    return used->pairs >= fewest_shared_rows &&
           10 * threads * longest_work(used, inter_expert.cend(), threads) > 11 * pairs_by_one;
  };
  auto awaited = inter_expert.cbegin();
  for (; awaited != inter_expert.cend() && is_awaited(awaited); ++awaited) pairs_by_one -= awaited->pairs;
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

std::vector<ActiveExpert> cut(const std::vector<ActiveExpert>& experts, std::int64_t most_rows) {
  std::vector<ActiveExpert> parts;
  for (const auto& [e, first, pairs] : experts) {
    const std::int64_t count = (pairs + most_rows - 1) / most_rows, rows = (pairs + count - 1) / count;
    for (std::int64_t row = 0; row < pairs; row += rows) parts.push_back({e, first + row, std::min(rows, pairs - row)});
  }
  sort_by_size(parts);
  return parts;
}

}  // namespace moe
