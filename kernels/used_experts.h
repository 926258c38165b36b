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
  std::vector<Used> many;  ///< whose products take all threads, one after the other
  std::vector<Used> few;   ///< with few rows (kernels/few_rows.h), shared out between the threads

  /// offsets: E + 1 numbers; the weights as in ExpertWeights.
  UsedExperts(const std::vector<std::int64_t>& offsets, const torch::Tensor& w1_EFD, const torch::Tensor& w2_EDF);

  /// Calls `work` for every expert with few rows. It must not call LibTorch, whose state is that of another thread.
  template <class Work>
  void for_each_few(Work work) const {
    RECORD_USER_SCOPE("matrix products");
    std::atomic<std::size_t> next = 0;  // whoever is free takes the next: loads differ
    at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
      for (std::size_t i = next++; i < few.size(); i = next++) work(few[i]);
    });
  }
};

}  // namespace moe
