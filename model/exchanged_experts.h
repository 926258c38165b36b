#pragma once
// The experts of one MoE layer, spread over ranks, as its kernel sees them.

#include "kernels/experts/remote_experts.h"
#include "parallel/expert_exchange.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

class ExchangedExperts : public RemoteExperts {
 public:
  ExchangedExperts(ExpertExchange& exchange, OwnedExperts experts)
      : exchange_(exchange), layer_(exchange.add_layer(std::move(experts))) {}

  Answer forward(const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets, bool keep) override {
    const ExpertExchange::Answer answer = exchange_.forward(layer_, x_MD, offsets, keep);
    return {answer.y_MD, answer.call};
  }
  torch::Tensor backward(std::int64_t call, const torch::Tensor& grad_y_MD,
                         const std::vector<std::int64_t>& offsets) override {
    return exchange_.backward(layer_, call, grad_y_MD, offsets);
  }
  /// All experts' values of one of the stacked parameters.
  torch::Tensor whole(std::size_t parameter) const { return exchange_.whole(layer_, parameter); }

 private:
  ExpertExchange& exchange_;
  std::int64_t layer_;
};

}  // namespace moe
