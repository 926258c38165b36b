#pragma once
// The calls that routers and layers are measured on: sentences of 32 tokens of width 256, out of 8,000 words.

#include "core/error.h"
#include "data/tokenizer.h"
#include "model/model_batch.h"
#include "routers/registry.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace moe {

inline constexpr std::int64_t layer_width = 256, layer_vocabulary = 8000;

inline Tokens make_layer_tokens(std::int64_t count, Phase phase) {
  constexpr std::int64_t sentence_length = 32;
  std::vector<std::int64_t> ids, sentence;
  for (std::int64_t t = 0; t < count; ++t) ids.push_back(end_id + 1 + t % (layer_vocabulary - end_id - 1));
  for (std::int64_t row = 0; row < count / sentence_length; ++row) sentence.push_back(row);
  const std::vector<std::int64_t> direction(sentence.size(), 0);
  Tokens tokens = make_model_tokens(ids, sentence_length, sentence, direction, torch::kCPU).routing;
  tokens.call.phase = phase;
  return tokens;
}

inline std::shared_ptr<Router> make_layer_router(const RouterEntry& entry, const Json& request) {
  ConfigErrors errors;
  const Json options = entry.resolve(request, "strategy", errors);
  errors.throw_if_any("benchmark");
  RouterContext context{.width = layer_width};
  context.token_counts.assign(layer_vocabulary, 1);
  return entry.make(options, context);
}

}  // namespace moe
