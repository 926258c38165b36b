#include "model/transformer.h"

#include "core/error.h"
#include "kernels/dropout.h"
#include "kernels/gemm/linear.h"
#include "model/initialisation.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

// Legend: B sentences, L positions of a side, S source and T target positions, R rows of a step, D width, V vocabulary.

namespace moe {
namespace {

/// Sinusoidal positions 0 .. length - 1, [length, D] (Vaswani et al. 2017, section 3.5).
torch::Tensor sinusoidal_positions(std::int64_t length, std::int64_t width, torch::Device device) {
  const c10::InferenceMode no_inference(false);  // training may need them later
  const auto options = torch::TensorOptions(torch::kFloat32).device(device);
  const torch::Tensor position_L1 = torch::arange(length, options).unsqueeze(1);
  const torch::Tensor frequency =
      torch::exp(torch::arange(0, width, 2, options) * (-std::log(10000.0) / static_cast<double>(width)));
  const torch::Tensor angle = position_L1 * frequency;
  return torch::stack({torch::sin(angle), torch::cos(angle)}, 2).flatten(1);
}

/// Of pass `number` of those that are computed side by side.
Tokens with_call(Tokens tokens, const ForwardContext& context, std::int64_t number) {
  tokens.call = context.call;
  tokens.call.forward_pass += number;
  return tokens;
}

/// One copy per pass, along the first dimension.
torch::Tensor for_passes(const torch::Tensor& x, std::int64_t passes) {
  if (passes == 1 || !x.defined()) return x;
  std::vector<std::int64_t> times(static_cast<std::size_t>(x.dim()), 1);
  times[0] = passes;
  return x.repeat(times);
}

/// Mean over real positions, [B, D] in float32 or better; 0 for a sentence of padding.
torch::Tensor mean_state(const torch::Tensor& state_BSD, const torch::Tensor& valid_T) {
  const std::int64_t passes = state_BSD.size(0) * state_BSD.size(1) / std::max<std::int64_t>(valid_T.size(0), 1);
  const torch::Tensor valid_BS1 =
      for_passes(valid_T, passes).to(state_BSD.device()).view({state_BSD.size(0), state_BSD.size(1), 1});
  const torch::Tensor sum_BD = state_BSD.masked_fill(valid_BS1.logical_not(), 0).sum(1);
  return sum_BD / valid_BS1.sum(1).clamp_min(1);
}

}  // namespace

void DecoderCache::reorder_cache(const torch::Tensor& rows) {
  origin_RP = origin_RP.index_select(0, rows);
}

void DecoderCache::keep_sentences(const torch::Tensor& sentences) {
  for (torch::Tensor& block : memory) block = block.index_select(0, sentences);
  if (mask.defined()) mask = mask.index_select(0, sentences);
  if (mean_BD.defined()) mean_BD = mean_BD.index_select(0, sentences);
}

Transformer::Transformer(const ModelSettings& settings, const TokenCounts& token_counts, std::int64_t directions,
                         std::uint64_t seed, const RouterMaker& make_router, ExpertExchange* exchange)
    : settings_(settings), seed_(seed), exchange_(exchange) {
  const auto vocabulary = static_cast<std::int64_t>(token_counts.source.size());
  const double deviation = 1.0 / std::sqrt(static_cast<double>(settings.width));
  embedding_ = normal_parameter({vocabulary, settings.width}, deviation, seed, "embedding");
  embedding_[padding_id].zero_();
  embedding_ = register_parameter("embedding", embedding_);
  const MoeBlocks blocks = moe_blocks(settings);
  RouterContext context{settings.width, 0, Stack::encoder, token_counts.source, directions, seed};
  encoder_ = make_stack(context, blocks.encoder, make_router);
  context.stack = Stack::decoder;
  context.layer = static_cast<std::int64_t>(blocks.encoder.size());
  context.token_counts = token_counts.target;
  decoder_ = make_stack(context, blocks.decoder, make_router);
  if (settings.norm == "pre") {
    encoder_norm_ = register_module("encoder_norm", std::make_shared<LayerNorm>(settings.width));
    decoder_norm_ = register_module("decoder_norm", std::make_shared<LayerNorm>(settings.width));
  }
}

std::vector<std::shared_ptr<Block>> Transformer::make_stack(RouterContext context,
                                                            const std::vector<std::int64_t>& moe_blocks,
                                                            const RouterMaker& make_router) {
  const bool is_encoder = context.stack == Stack::encoder;
  const std::int64_t layers = is_encoder ? settings_.encoder_layers : settings_.decoder_layers;
  std::vector<std::shared_ptr<Block>> stack;
  const auto layer_in = [&](const std::vector<std::int64_t>& blocks, std::int64_t block, const std::string& name,
                            bool extra) -> std::shared_ptr<MoeLayer> {
    if (std::count(blocks.begin(), blocks.end(), block) == 0) return nullptr;
    const ExpertShape shape{settings_.width, settings_.ffn, settings_.expert_init == "copy", exchange_};
    moe_layers_.push_back(std::make_shared<MoeLayer>(name, shape, make_router(context), seed_));
    moe_places_.push_back({context.stack, block, extra});
    reads_memory_ = reads_memory_ || (!is_encoder && moe_layers_.back()->contract().reads_memory);
    ++context.layer;
    return moe_layers_.back();
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = (is_encoder ? "encoder." : "decoder.") + std::to_string(i);
    const auto extra =
        layer_in(is_encoder ? std::vector<std::int64_t>() : extra_blocks(settings_), i, name + ".extra", true);
    const auto moe = layer_in(moe_blocks, i, name + ".ffn", false);
    const std::string module_name = (is_encoder ? "encoder_" : "decoder_") + std::to_string(i);
    stack.push_back(
        register_module(module_name, std::make_shared<Block>(name, settings_, context.stack, moe, extra, seed_)));
  }
  return stack;
}

torch::Tensor Transformer::positions(std::int64_t first, std::int64_t length) {
  const std::int64_t known = position_PD_.defined() ? position_PD_.size(0) : 0;
  if (first + length > known || position_PD_.device() != embedding_.device()) {
    position_PD_ = sinusoidal_positions(std::max(first + length, 2 * known), settings_.width, embedding_.device());
  }
  return position_PD_.narrow(0, first, length);
}

torch::Tensor Transformer::embed(const torch::Tensor& id_BL, std::int64_t first_position) {
  const torch::Tensor scaled = torch::embedding(embedding_, id_BL) * std::sqrt(static_cast<double>(settings_.width));
  return scaled + positions(first_position, id_BL.size(1));
}

StackPass Transformer::stack_pass(const Tokens& tokens, const ForwardContext& pass, Stack stack,
                                  const torch::Tensor& memory_mean_BD) const {
  StackPass work;
  work.sites.rate = pass.call.phase == Phase::train ? settings_.dropout : 0.0;
  work.plans.resize(static_cast<std::size_t>(pass.passes));
  const auto mean_P = memory_mean_BD.defined() ? memory_mean_BD.chunk(pass.passes) : std::vector<torch::Tensor>();
  for (std::int64_t p = 0; p < pass.passes; ++p) {
    work.tokens.push_back(with_call(tokens, pass, p));
    if (!mean_P.empty()) work.tokens.back().memory_RD = mean_P[static_cast<std::size_t>(p)];
    if (work.sites.rate == 0) continue;  // nothing drops, so no place needs a key
    const RandomStream stream =
        RandomStream(seed_).at(StreamTag::dropout).at(pass.call.step).at(pass.call.forward_pass + p);
    work.sites.streams.push_back(stream.at(static_cast<std::int64_t>(stack)));
  }
  return work;
}

torch::Tensor Transformer::embed_passes(const torch::Tensor& id_BL, StackPass& pass) {
  const torch::Tensor embedded = for_passes(embed(id_BL, 0), static_cast<std::int64_t>(pass.tokens.size()));
  return keyed_dropout(embedded, pass.sites.rate, pass.sites.keys());
}

Memory Transformer::encode(const ModelTokens& source, const ForwardContext& pass) {
  StackPass stack = stack_pass(source.routing, pass, Stack::encoder, {});
  const torch::Tensor mask = for_passes(source.mask, pass.passes);
  torch::Tensor x_BSD = embed_passes(source.id_BL, stack);
  for (const auto& block : encoder_) x_BSD = block->encode(x_BSD, mask, stack);
  if (encoder_norm_) x_BSD = encoder_norm_->forward(x_BSD);
  const torch::Tensor mean_BD = reads_memory_ ? mean_state(x_BSD, source.routing.valid_T) : torch::Tensor();
  return {x_BSD, mask, mean_BD, std::move(stack.plans)};
}

Decoded Transformer::decode(const ModelTokens& target, const Memory& memory, const ForwardContext& pass) {
  StackPass stack = stack_pass(target.routing, pass, Stack::decoder, memory.mean_BD);
  torch::Tensor x_BTD = embed_passes(target.id_BL, stack);
  for (const auto& block : decoder_) x_BTD = block->decode(x_BTD, memory.state_BSD, memory.mask, stack);
  if (decoder_norm_) x_BTD = decoder_norm_->forward(x_BTD);
  return {x_BTD, std::move(stack.plans)};
}

FusedLinearLosses Transformer::losses(const torch::Tensor& state_PND, const torch::Tensor& target_N,
                                      double label_smoothing, double consistency) const {
  const torch::Dtype dtype = compute_type(state_PND);
  return fused_linear_losses(state_PND.to(dtype), embedding_.to(dtype), target_N, label_smoothing, consistency);
}

torch::Tensor Transformer::logits(const torch::Tensor& state) const {
  return fused_linear(state, embedding_);
}

DecoderCache Transformer::make_cache(const Memory& memory, std::int64_t beams, std::int64_t room) {
  DecoderCache cache;
  cache.mask = memory.mask;
  cache.mean_BD = memory.mean_BD;
  const std::int64_t rows = memory.state_BSD.size(0) * beams;
  for (const auto& block : decoder_) {
    cache.memory.push_back(block->project_memory(memory.state_BSD));
    const auto options = cache.memory.back().options();
    const std::vector<std::int64_t> shape = {rows, room, settings_.width};
    cache.self.push_back({torch::empty(shape, options), torch::empty(shape, options)});
  }
  cache.origin_RP = torch::zeros({rows, room}, cache.memory.front().options().dtype(torch::kInt64));
  return cache;
}

torch::Tensor Transformer::decode_step(const ModelTokens& tokens, DecoderCache& cache, std::int64_t position,
                                       const ForwardContext& pass) {
  torch::Tensor mean_RD = cache.mean_BD;
  if (mean_RD.defined()) mean_RD = mean_RD.repeat_interleave(tokens.routing.rows / mean_RD.size(0), 0);
  StackPass stack = stack_pass(tokens.routing, pass, Stack::decoder, mean_RD);
  stack.tokens[0].position_T = torch::full_like(stack.tokens[0].position_T, position);
  torch::Tensor x_RD = embed(tokens.id_BL, position).squeeze(1);
  cache.origin_RP.select(1, position).copy_(torch::arange(x_RD.size(0), cache.origin_RP.options()));
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    x_RD = decoder_[i]->decode_step(x_RD, cache.self[i], cache.origin_RP, position, cache.memory[i], cache.mask, stack);
  }
  return decoder_norm_ ? decoder_norm_->forward(x_RD) : x_RD;
}

}  // namespace moe
