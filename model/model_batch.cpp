#include "model/model_batch.h"

#include <torch/types.h>

#include <limits>

namespace moe {
namespace {

torch::Tensor to_tensor(const std::vector<std::int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

Tokens routing_tokens(const torch::Tensor& id_BL, const std::vector<std::int64_t>& sentence,
                      const std::vector<std::int64_t>& direction) {
  const std::int64_t rows = id_BL.size(0);
  const std::int64_t length = id_BL.size(1);
  Tokens tokens;
  tokens.id_T = id_BL.flatten();
  tokens.valid_T = tokens.id_T != padding_id;
  torch::Tensor previous_BL = torch::full({rows, length}, begin_id, torch::kInt64);
  if (length > 1) previous_BL.narrow(1, 1, length - 1).copy_(id_BL.narrow(1, 0, length - 1));
  tokens.previous_id_T = previous_BL.flatten();
  tokens.position_T = torch::arange(length).repeat({rows});
  tokens.sentence_T = to_tensor(sentence).repeat_interleave(length);
  tokens.direction_T = to_tensor(direction).repeat_interleave(length);
  tokens.row_T = torch::arange(rows).repeat_interleave(length);
  tokens.rows = rows;
  tokens.valid = tokens.valid_T.sum().item<std::int64_t>();
  return tokens;
}

}  // namespace

ModelTokens make_model_tokens(const std::vector<std::int64_t>& ids, std::int64_t length,
                              const std::vector<std::int64_t>& sentence, const std::vector<std::int64_t>& direction,
                              torch::Device device) {
  const auto rows = static_cast<std::int64_t>(sentence.size());
  const torch::Tensor id_BL = to_tensor(ids).view({rows, length});
  ModelTokens tokens;
  tokens.routing = routing_tokens(id_BL, sentence, direction);
  tokens.id_BL = id_BL.to(device);
  if (tokens.routing.valid < rows * length) {
    const torch::Tensor is_padding = tokens.id_BL == padding_id;
    tokens.mask = torch::zeros({rows, length}, torch::TensorOptions(device))
                      .masked_fill_(is_padding, -std::numeric_limits<float>::infinity())
                      .view({rows, 1, 1, length});
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
  result.target_row_N = row_N.to(device);
  result.target_id_N = target.index_select(0, row_N).to(device);
  return result;
}

}  // namespace moe
