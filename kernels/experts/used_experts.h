#pragma once
// The experts that a plan uses, told apart by the products that suit their numbers of rows.

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace moe {

/// An expert in use and its pairs, or some of them.
struct Used {
  std::int64_t expert, first, pairs;
};

struct UsedExperts {
  std::vector<Used> by_all;  ///< whose products take all threads, one after the other
  std::vector<Used> by_one;  ///< of a thread each (kernels/experts/one_expert.h), the largest first

  /// offsets: E + 1 numbers; the weights as in ExpertWeights.
  UsedExperts(const std::vector<std::int64_t>& offsets, const torch::Tensor& w1_EFD, const torch::Tensor& w2_EDF);
};

/// In parts of at most `most_rows` rows, the largest first.
std::vector<Used> cut(const std::vector<Used>& experts, std::int64_t most_rows);

/// Calls `work` for each, shared out between the threads. It must not call LibTorch, whose state is that of another
/// thread.
template <class Work>
void share_out(const std::vector<Used>& experts, Work work) {
  if (experts.empty()) return;
  RECORD_USER_SCOPE("matrix products");
  std::atomic<std::size_t> next = 0;  // whoever is free takes the next: loads differ
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
    for (std::size_t i = next++; i < experts.size(); i = next++) work(experts[i]);
  });
}

}  // namespace moe
