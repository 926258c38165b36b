#pragma once
// The shared Transformer (Vaswani et al. 2017): encoder-decoder, tied embeddings, sinusoidal positions; some of its
// feed-forward nets are MoE layers. Everything but the router is the same for every strategy.

#include "kernels/losses/fused_linear_losses.h"
#include "model/block.h"
#include "model/model_batch.h"
#include "model/model_settings.h"
#include "model/safetensors.h"

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// What a forward pass is for: what routers see of the call, and the dropout.
struct ForwardContext {
  CallContext call = {.phase = Phase::evaluate};  ///< of the first forward pass
  std::int64_t passes = 1;  ///< this one and those that follow, computed side by side: P times the sentences
};

/// Builds the router of one MoE layer.
using RouterMaker = std::function<std::shared_ptr<Router>(const RouterContext&)>;

/// One MoE layer's place in the model.
struct MoePlace {
  Stack stack = Stack::encoder;
  std::int64_t block = 0;
  bool extra = false;  ///< a layer of its own before the block, not the block's feed-forward net
};

/// Encoder states of a batch, B sentences x passes: all of the first pass before those of the next.
struct Memory {
  torch::Tensor state_BSD;
  torch::Tensor mask;     ///< as ModelTokens::mask
  torch::Tensor mean_BD;  ///< mean of each sentence's states over its real positions; undefined if no router reads it
  std::vector<Plans> plans;  ///< of the encoder's MoE layers, per pass
};

/// Decoder states of a batch.
struct Decoded {
  torch::Tensor state_BTD;
  std::vector<Plans> plans;  ///< of the decoder's MoE layers, per pass
};

/// What incremental decoding keeps between steps: R rows = sentences x beams.
struct DecoderCache {
  std::vector<KvCache> self;          ///< per block, [first R, room, D]
  torch::Tensor origin_RP;            ///< int64 [R, room]: the row of `self` that holds each position of a row
  std::vector<torch::Tensor> memory;  ///< per block, [B, S, 2 D]: beams of a sentence share it
  torch::Tensor mask;                 ///< [B, 1, 1, S] or undefined
  torch::Tensor mean_BD;              ///< as Memory::mean_BD

  /// Keeps the given rows, in that order (one may stand twice). Copies nothing but where their positions lie.
  void reorder_cache(const torch::Tensor& rows);
  /// Keeps the given sentences' memory.
  void keep_sentences(const torch::Tensor& sentences);
};

class Transformer : public torch::nn::Module {
 public:
  /// `token_counts` are training frequencies, for routers; `make_router` is called once per MoE layer, encoder first.
  /// `exchange`: of the ranks that the experts are spread over, which outlives the model; null: all experts are here.
  Transformer(const ModelSettings& settings, const TokenCounts& token_counts, std::int64_t directions,
              std::uint64_t seed, const RouterMaker& make_router, ExpertExchange* exchange = nullptr);

  Memory encode(const ModelTokens& source, const ForwardContext& pass);
  /// `pass` as the memory's.
  Decoded decode(const ModelTokens& target, const Memory& memory, const ForwardContext& pass);
  /// Of the logits of decoder states [P, N, D], which are not kept (kernels/losses/fused_linear_losses.h).
  FusedLinearLosses losses(const torch::Tensor& state_PND, const torch::Tensor& target_N, double label_smoothing,
                           double consistency) const;
  /// Logits [..., V] of decoder states [..., D], by the tied embedding.
  torch::Tensor logits(const torch::Tensor& state) const;

  /// A cache for `beams` rows per sentence and up to `room` positions.
  DecoderCache make_cache(const Memory& memory, std::int64_t beams, std::int64_t room);
  /// States [R, D] of the newest position, whose tokens are `tokens` (length 1, R rows).
  torch::Tensor decode_step(const ModelTokens& tokens, DecoderCache& cache, std::int64_t position,
                            const ForwardContext& pass);

  /// The MoE layers, encoder first, and their places.
  const std::vector<std::shared_ptr<MoeLayer>>& moe_layers() const { return moe_layers_; }
  const std::vector<MoePlace>& moe_places() const { return moe_places_; }
  const ModelSettings& settings() const { return settings_; }
  ExpertExchange* exchange() const { return exchange_; }
  std::int64_t vocabulary_size() const { return embedding_.size(0); }

 private:
  /// Scaled embeddings plus positions, [B, L, D].
  torch::Tensor embed(const torch::Tensor& id_BL, std::int64_t first_position);
  /// Sinusoidal positions from `first` on, [length, D].
  torch::Tensor positions(std::int64_t first, std::int64_t length);
  /// `memory_mean_BD`: as Memory::mean_BD in the decoder, else undefined.
  StackPass stack_pass(const Tokens& tokens, const ForwardContext& pass, Stack stack,
                       const torch::Tensor& memory_mean_BD) const;
  /// Embeddings of every pass, dropped.
  torch::Tensor embed_passes(const torch::Tensor& id_BL, StackPass& pass);
  std::vector<std::shared_ptr<Block>> make_stack(RouterContext context, const std::vector<std::int64_t>& moe_blocks,
                                                 const RouterMaker& make_router);

  ModelSettings settings_;
  std::uint64_t seed_;
  ExpertExchange* exchange_;
  torch::Tensor embedding_;    ///< [V, D]
  torch::Tensor position_PD_;  ///< as many as were needed so far
  bool reads_memory_ = false;  ///< a router of the decoder does
  std::vector<std::shared_ptr<Block>> encoder_;
  std::vector<std::shared_ptr<Block>> decoder_;
  std::shared_ptr<LayerNorm> encoder_norm_, decoder_norm_;  ///< pre-norm only
  std::vector<std::shared_ptr<MoeLayer>> moe_layers_;
  std::vector<MoePlace> moe_places_;
};

}  // namespace moe
