#pragma once
// A batch as the model reads it: tensors on its device, and what routers may know about each token.

#include "data/batches.h"
#include "routers/tokens.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// The tokens of one side of a batch, [B, L] with padding.
struct ModelTokens {
  torch::Tensor id_BL;  ///< int64, on the model's device
  torch::Tensor mask;   ///< float [B, 1, 1, L], 0 or -inf, on the device; undefined when there is no padding
  Tokens routing;       ///< T = B * L rows; phase, step, pass and draw are the caller's to set
};

struct ModelBatch {
  ModelTokens source;
  ModelTokens target;          ///< the decoder's input: begin_id first
  torch::Tensor target_row_N;  ///< int64, on the device: rows of B * T that are not padding
  torch::Tensor target_id_N;   ///< int64, on the device: what these rows have to predict
};

ModelBatch make_model_batch(const Batch& batch, torch::Device device);

/// ids: row-major [sentences, length] with padding_id; sentence and direction: one entry per row.
ModelTokens make_model_tokens(const std::vector<std::int64_t>& ids, std::int64_t length,
                              const std::vector<std::int64_t>& sentence, const std::vector<std::int64_t>& direction,
                              torch::Device device);

}  // namespace moe
