#include "model/model_batch.h"

#include <torch/types.h>

#include <limits>

namespace moe {
namespace {

torch::Tensor to_tensor(const std::vector<std::int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

/// In one pass over the ids: small batches would spend more on tensor operations than on what they do.
Tokens routing_tokens(const std::vector<std::int64_t>& ids, std::int64_t length,
                      const std::vector<std::int64_t>& sentence, const std::vector<std::int64_t>& direction) {
  Tokens tokens;
  const auto column = [&](torch::Tensor& tensor) {
    tensor = torch::empty({std::ssize(ids)}, torch::kInt64);
    return tensor.mutable_data_ptr<std::int64_t>();
  };
  tokens.id_T = to_tensor(ids);
  tokens.valid_T = torch::empty({std::ssize(ids)}, torch::kBool);
  tokens.rows = std::ssize(sentence);
  auto* valid = tokens.valid_T.mutable_data_ptr<bool>();
  auto *previous = column(tokens.previous_id_T), *position = column(tokens.position_T),
       *sentence_of = column(tokens.sentence_T), *direction_of = column(tokens.direction_T),
       *row_of = column(tokens.row_T);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const auto row = static_cast<std::int64_t>(t) / length;
    position[t] = static_cast<std::int64_t>(t) % length;
    previous[t] = position[t] == 0 ? begin_id : ids[t - 1];
    valid[t] = ids[t] != padding_id;
    tokens.valid += valid[t] ? 1 : 0;
    row_of[t] = row;
    sentence_of[t] = sentence[static_cast<std::size_t>(row)];
    direction_of[t] = direction[static_cast<std::size_t>(row)];
  }
  return tokens;
}

}  // namespace

// Copies to a GPU are queued: from memory that is not pinned they are staged before the call returns.

ModelTokens make_model_tokens(const std::vector<std::int64_t>& ids, std::int64_t length,
                              const std::vector<std::int64_t>& sentence, const std::vector<std::int64_t>& direction,
                              torch::Device device) {
  const auto rows = std::ssize(sentence);
  ModelTokens tokens;
  tokens.routing = routing_tokens(ids, length, sentence, direction);
  tokens.id_BL = tokens.routing.id_T.view({rows, length}).to(device, /*non_blocking=*/true);
  if (tokens.routing.valid < rows * length) {
    tokens.mask = torch::zeros({rows, 1, 1, length})
                      .masked_fill_(tokens.routing.valid_T.logical_not().view({rows, 1, 1, length}),
                                    -std::numeric_limits<float>::infinity())
                      .to(device, /*non_blocking=*/true);
  }
  return tokens;
}

ModelBatch make_model_batch(const Batch& batch, torch::Device device) {
  ModelBatch result;
  result.source = make_model_tokens(batch.source, batch.source_length, batch.sentence, batch.direction, device);
  if (!batch.source_label.empty()) result.source.routing.label_T = to_tensor(batch.source_label);
  result.target = make_model_tokens(batch.target_input, batch.target_length, batch.sentence, batch.direction, device);
  const torch::Tensor target = to_tensor(batch.target_output);
  const torch::Tensor row_N = (target != padding_id).nonzero().squeeze(1);
  result.target_row_N = row_N.to(device, /*non_blocking=*/true);
  result.target_id_N = target.index_select(0, row_N).to(device, /*non_blocking=*/true);
  return result;
}

}  // namespace moe
