#include "kernels/used_experts.h"

#include "kernels/few_rows.h"

#include <torch/types.h>

#include <algorithm>

namespace moe {

UsedExperts::UsedExperts(const std::vector<std::int64_t>& offsets, const torch::Tensor& w1_EFD,
                         const torch::Tensor& w2_EDF) {
  const std::int64_t most = most_few_rows(w1_EFD.scalar_type());
  const bool own_products = has_few_rows(w1_EFD.scalar_type(), w1_EFD.size(2), w1_EFD.size(1)) && w1_EFD.is_cpu() &&
                            w1_EFD.is_contiguous() && w2_EDF.is_contiguous();
  std::int64_t few_pairs = 0;
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    const Used used{static_cast<std::int64_t>(e), offsets[e], offsets[e + 1] - offsets[e]};
    if (used.pairs == 0) continue;
    const bool is_few = own_products && offsets.size() > 2 && used.pairs <= most;
    (is_few ? few : many).push_back(used);
    if (is_few) few_pairs += used.pairs;
  }
  // The largest first, so that threads end together; one that the others would wait for is worth all threads.
  std::stable_sort(few.begin(), few.end(), [](const Used& a, const Used& b) { return a.pairs > b.pairs; });
  auto shared = few.begin();
  for (; shared != few.end() && 4 * shared->pairs * at::get_num_threads() > 5 * few_pairs; ++shared) {
    few_pairs -= shared->pairs;
  }
  many.insert(many.end(), few.begin(), shared);
  few.erase(few.begin(), shared);
}

}  // namespace moe
