#pragma once
// Tiny Transformers with a router by name, and sentences to feed them.

#include "model/transformer.h"
#include "tests/routers/fixture.h"

#include <torch/utils.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace moe {

inline constexpr std::int64_t tiny_vocabulary = 24;

/// Two blocks in each stack, the second one an MoE block.
inline ModelSettings tiny_settings() {
  ModelSettings settings;
  settings.encoder_layers = 2;
  settings.decoder_layers = 2;
  settings.width = 16;
  settings.ffn = 32;
  settings.heads = 2;
  return settings;
}

inline std::shared_ptr<Transformer> tiny_model(const std::string& router, const Json& options = Json::object(),
                                               const ModelSettings& settings = tiny_settings(),
                                               std::uint64_t seed = 1) {
  TokenCounts counts;
  for (std::int64_t id = 0; id < tiny_vocabulary; ++id) counts.source.push_back(100 + id);
  counts.target = counts.source;
  const RouterMaker make = [&](const RouterContext& context) { return build(router, options, context); };
  return std::make_shared<Transformer>(settings, counts, 1, seed, make);
}

/// Moves every parameter by noise, so that biases and norms, which start at 0 and 1, are seen by a test too.
inline void disturb(Transformer& model, double deviation = 0.1, std::uint64_t seed = 7) {
  const torch::NoGradGuard no_gradient;
  for (auto& item : model.named_parameters()) {
    torch::Tensor noise = torch::empty_like(item.value());
    const RandomStream stream = RandomStream(seed).at(std::string_view(item.key()));
    float* values = noise.data_ptr<float>();
    for (std::int64_t i = 0; i < noise.numel(); ++i) values[i] = static_cast<float>(deviation * stream.at(i).normal());
    item.value().add_(noise);
  }
}

/// Pairs of several lengths, numbered from 10; ids from 4 up, each side closed by end_id.
inline EncodedSet tiny_set() {
  return {{{5, 9, 14, 7, end_id}, {8, 6, 21, end_id}, {}, 0, 10},
          {{11, end_id}, {20, 4, 4, 13, 9, end_id}, {}, 0, 11},
          {{6, 6, 17, end_id}, {12, end_id}, {}, 0, 12}};
}

inline ModelBatch tiny_batch(const EncodedSet& set = tiny_set()) {
  std::vector<std::int64_t> members;
  for (std::size_t i = 0; i < set.size(); ++i) members.push_back(static_cast<std::int64_t>(i));
  return make_model_batch(make_batch(set, members), torch::kCPU);
}

/// Decoder states of a batch, [B, T, D].
inline torch::Tensor states_of(Transformer& model, const ModelBatch& batch, const ForwardContext& pass = {}) {
  return model.decode(batch.target, model.encode(batch.source, pass), pass).state_BTD;
}

}  // namespace moe
