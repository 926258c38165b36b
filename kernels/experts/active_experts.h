#pragma once
// The active experts of an assignment, split by how their gemms use threads.

#include "kernels/experts/expert_weights.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace moe {

/// An expert and a range of its assignments: [first, first + assignments).
struct ActiveExpert {
  std::int64_t expert, first, assignments;
};

struct ActiveExperts {
  std::vector<ActiveExpert> intra_expert;  ///< one after the other, each gemm on all threads
  std::vector<ActiveExpert>
      inter_expert;  ///< side by side, each on one thread (kernels/experts/one_expert.h), the largest first

  /// offsets: E + 1 numbers. Experts whose weights are elsewhere are left out, and all others are computed as if all
  /// were here: with the same bits.
  ActiveExperts(const std::vector<std::int64_t>& offsets, const ExpertWeights& weights);

 private:
  void leave_out_others(const std::vector<std::int64_t>& offsets, const ExpertWeights& weights);
};

/// The experts in ranges of at most `most_rows` rows, the largest first.
std::vector<ActiveExpert> split_experts(const std::vector<ActiveExpert>& experts, std::int64_t most_rows);

/// Calls `work` for each on all threads, by a dynamic schedule. `work` must not call LibTorch: its thread-local state,
/// such as autocast, is not that of the caller.
template <class Work>
void for_each_dynamic(const std::vector<ActiveExpert>& experts, Work work) {
  if (experts.empty()) return;
  RECORD_USER_SCOPE("matrix products");
  std::atomic<std::size_t> next = 0;  // a free thread takes the next one, since loads differ
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
    for (std::size_t i = next++; i < experts.size(); i = next++) work(experts[i]);
  });
}

}  // namespace moe
