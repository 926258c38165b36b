#include "model/model_size.h"

#include <torch/types.h>

namespace moe {
namespace {

std::int64_t elements(const std::vector<torch::Tensor>& tensors) {
  std::int64_t count = 0;
  for (const torch::Tensor& tensor : tensors) count += tensor.numel();
  return count;
}

double tokens_of(const Transformer& model, std::size_t layer, double source, double target) {
  return model.moe_places()[layer].stack == Stack::encoder ? source : target;
}

}  // namespace

ParameterCount count_parameters(const Transformer& model) {
  ParameterCount count;
  count.total = elements(model.parameters());
  count.active = count.total;
  for (const auto& layer : model.moe_layers()) {
    const std::int64_t expert = elements(layer->expert_parameters()) / layer->layout().count;
    count.active -= expert * (layer->layout().count - layer->layout().active);
  }
  return count;
}

double body_flops(const Transformer& model, std::int64_t sentences, std::int64_t source_tokens,
                  std::int64_t target_tokens) {
  const ModelSettings& settings = model.settings();
  const auto width = static_cast<double>(settings.width);
  const auto source = static_cast<double>(source_tokens);
  const auto target = static_cast<double>(target_tokens);
  const double mean_source = source / static_cast<double>(sentences);
  const double mean_target = target / static_cast<double>(sentences);
  // Per token: 2 per weight; scores and weighted sums of attention 4 D per attended position.
  const double projections = 2 * 4 * width * width;
  const double plain_ffn = 2 * 2 * width * static_cast<double>(settings.ffn);
  const double encoder_block = projections + plain_ffn + 4 * width * mean_source;
  const double decoder_ffn = settings.decoder_ffn ? plain_ffn : 0;
  const double decoder_block = 2 * projections + decoder_ffn + 4 * width * (mean_source + (mean_target + 1) / 2);
  double flops = source * static_cast<double>(settings.encoder_layers) * encoder_block +
                 target * static_cast<double>(settings.decoder_layers) * decoder_block +
                 target * 2 * width * static_cast<double>(model.vocabulary_size());
  // Keys and values of the memory are computed once per source token, not per target token.
  flops += static_cast<double>(settings.decoder_layers) * 2 * 2 * width * width * (source - target);
  for (std::size_t i = 0; i < model.moe_layers().size(); ++i) {
    const auto weights = static_cast<double>(model.moe_layers()[i]->router().weights_per_token());
    const double replaced = model.moe_places()[i].extra ? 0 : plain_ffn;
    flops += tokens_of(model, i, source, target) * (2 * weights - replaced);
  }
  return flops;
}

double pair_flops(const Transformer& model, std::size_t layer) {
  const auto hidden = static_cast<double>(model.moe_layers()[layer]->layout().hidden(model.settings().ffn));
  return 2 * 2 * hidden * static_cast<double>(model.settings().width);
}

}  // namespace moe
