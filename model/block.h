#pragma once
// One block of the Transformer: self-attention, cross-attention in the decoder, and a feed-forward net or MoE layer.

#include "core/random.h"
#include "kernels/gemm/linear.h"
#include "model/attention.h"
#include "model/layer_norm.h"
#include "model/model_settings.h"
#include "model/moe_layer.h"

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// Hands each place of the model that drops its own key in each pass, in the order of the forward pass. Routers draw
/// from other streams, so a strategy shifts no mask.
struct DropoutSites {
  double rate = 0;                    ///< 0 at evaluation
  std::vector<RandomStream> streams;  ///< one per pass
  std::int64_t next = 0;

  std::vector<std::uint64_t> keys();
};

using Plans = std::vector<RoutingPlan>;  ///< of a pass's MoE layers, in order

/// What all blocks of a stack share in one forward computation of P passes, whose rows follow one another.
struct StackPass {
  std::vector<Tokens> tokens;  ///< [P], of one pass each
  DropoutSites sites;
  std::vector<Plans> plans;  ///< [P], filled by MoE blocks
};

class Block : public torch::nn::Module {
 public:
  /// `name` keys initial values; `moe` is null for a plain feed-forward net, `extra` for no MoE layer before the block.
  Block(const std::string& name, const ModelSettings& settings, Stack stack, std::shared_ptr<MoeLayer> moe,
        std::shared_ptr<MoeLayer> extra, std::uint64_t seed);

  /// x_BSD: [B, S, D], B sentences x passes; mask: [B, 1, 1, S] or undefined.
  torch::Tensor encode(const torch::Tensor& x_BSD, const torch::Tensor& mask, StackPass& pass);
  /// x_BTD: [B, T, D], causal; memory_BSD and its mask from the encoder.
  torch::Tensor decode(const torch::Tensor& x_BTD, const torch::Tensor& memory_BSD, const torch::Tensor& memory_mask,
                       StackPass& pass);
  /// The newest position of every row, x_RD: [R, D]; R = sentences x beams. Cache and origin as in
  /// Attention::self_attention_step; memory: the block's project_memory of the encoder's states.
  torch::Tensor decode_step(const torch::Tensor& x_RD, KvCache& cache, const torch::Tensor& origin_RP,
                            std::int64_t position, const torch::Tensor& memory_BS2D, const torch::Tensor& memory_mask,
                            StackPass& pass);

  torch::Tensor project_memory(const torch::Tensor& memory_BSD) { return cross_attention_->project_memory(memory_BSD); }

 private:
  /// x + dropout(work(norm(x))), or norm(x + dropout(work(x))). `dtype`: of what `work` reads after a norm.
  template <class Work>
  torch::Tensor sublayer(const torch::Tensor& x, const LayerNorm& norm, torch::Dtype dtype, double dropout,
                         StackPass& pass, Work work);
  template <class Work>
  torch::Tensor sublayer(const torch::Tensor& x, const LayerNorm& norm, StackPass& pass, Work work) {
    return sublayer(x, norm, compute_type(x), pass.sites.rate, pass, work);
  }
  /// `norm` is null where the layer norms for itself.
  torch::Tensor moe_sublayer(const torch::Tensor& x, MoeLayer& moe, const LayerNorm* norm, StackPass& pass);
  /// x itself where there is no such layer.
  torch::Tensor extra_sublayer(const torch::Tensor& x, StackPass& pass);
  torch::Tensor feed_forward_sublayer(const torch::Tensor& x, StackPass& pass);
  torch::Tensor plain_net(const torch::Tensor& x) const;

  bool pre_norm_;
  std::shared_ptr<Attention> self_attention_, cross_attention_;
  std::shared_ptr<MoeLayer> moe_, extra_;
  torch::Tensor w1_FD_, b1_F_, w2_DF_, b2_D_;  ///< of the plain net
  /// Null: no such sublayer, or one that norms for itself.
  std::shared_ptr<LayerNorm> self_norm_, cross_norm_, ffn_norm_, extra_norm_;
};

}  // namespace moe
