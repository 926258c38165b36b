#include "kernels/cuda/route_ops.h"

#include "kernels/cuda/route.h"
#include "kernels/cuda/scan.h"
#include "kernels/cuda/tensors.h"

#include <torch/types.h>

namespace moe::cuda {

using torch::Tensor;

Tensor best_experts(const Tensor& score_TE, const Tensor& valid_T, std::int64_t choices) {
  const std::int64_t tokens = score_TE.size(0);
  const auto* host_valid = valid_T.const_data_ptr<bool>();
  const Tensor valid = uploaded(host_valid, static_cast<std::size_t>(tokens) * sizeof(bool), score_TE.device());
  Tensor expert_TK = torch::empty({tokens, choices}, score_TE.options().dtype(torch::kInt64));
  run(BestExperts{score_TE.const_data_ptr<float>(), static_cast<const bool*>(valid.const_data_ptr()),
                  static_cast<int>(score_TE.size(1)), static_cast<int>(choices),
                  expert_TK.mutable_data_ptr<std::int64_t>()},
      tokens, stream_of(score_TE));
  return expert_TK;
}

SortedChoices sort_choices(const Tensor& expert_TK, std::int64_t experts, std::int64_t kept, torch::Device device) {
  const std::int64_t count = expert_TK.numel(), chunks = divided_up(count, block_threads);
  const auto options = torch::TensorOptions(device);
  SortedChoices sorted{torch::empty({kept}, options.dtype(torch::kInt64)),
                       torch::empty({kept}, options.dtype(torch::kInt64))};
  if (count == 0) return sorted;
  const auto* host_expert = expert_TK.const_data_ptr<std::int64_t>();
  const Tensor choice = uploaded(host_expert, static_cast<std::size_t>(count) * sizeof(std::int64_t), device);
  const auto* expert = static_cast<const std::int64_t*>(choice.const_data_ptr());
  Tensor table = torch::empty({experts * chunks + 1}, options.dtype(torch::kInt32));
  Tensor offset_E1 = torch::empty({experts + 1}, options.dtype(torch::kInt32));
  auto* start = table.mutable_data_ptr<std::int32_t>();
  const Stream stream = stream_of(table);
  run(CountChoices{expert, count, static_cast<int>(experts), chunks, start}, stream);
  run(ExclusiveSum{start, table.numel(), start}, stream);
  run(PlaceChoices{expert, count, static_cast<int>(experts), static_cast<int>(expert_TK.size(1)), chunks, start,
                   sorted.token_M.mutable_data_ptr<std::int64_t>(), sorted.source_M.mutable_data_ptr<std::int64_t>(),
                   offset_E1.mutable_data_ptr<std::int32_t>()},
      stream);
  return sorted;
}

}  // namespace moe::cuda
