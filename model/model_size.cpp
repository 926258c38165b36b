#include "model/model_size.h"

#include <torch/types.h>

#include <algorithm>

namespace moe {
namespace {

std::int64_t elements(const std::vector<torch::Tensor>& tensors) {
  std::int64_t count = 0;
  for (const torch::Tensor& tensor : tensors) count += tensor.numel();
  return count;
}

/// Weights and biases of a feed-forward net.
std::int64_t net_parameters(std::int64_t width, std::int64_t hidden) {
  return 2 * width * hidden + hidden + width;
}

/// Adds up the parameters of a model block by block, as Transformer and Block register them.
class Sizes {
 public:
  Sizes(const ModelSettings& settings, const MoeLayerSizer& size_of_layer)
      : settings_(settings), size_of_layer_(size_of_layer) {}

  const ParameterCount& count() const { return count_; }

  void add(std::int64_t parameters) {
    count_.total += parameters;
    count_.active += parameters;
  }

  void add_norm() { add(2 * settings_.width); }

  /// `context` is of the stack's first MoE layer. Returns how many there are.
  std::int64_t add_stack(RouterContext context, const std::vector<std::int64_t>& moe_blocks) {
    const bool is_encoder = context.stack == Stack::encoder;
    const std::int64_t first = context.layer, blocks = is_encoder ? settings_.encoder_layers : settings_.decoder_layers;
    const auto extra = is_encoder ? std::vector<std::int64_t>() : extra_blocks(settings_);
    const auto has = [](const std::vector<std::int64_t>& list, std::int64_t block) {
      return std::find(list.begin(), list.end(), block) != list.end();
    };
    for (std::int64_t block = 0; block < blocks; ++block) {
      for (int attention = 0; attention < (is_encoder ? 1 : 2); ++attention) {
        add(4 * settings_.width * (settings_.width + 1));
        add_norm();
      }
      if (has(extra, block)) add_moe_layer(context);
      if (has(moe_blocks, block)) {
        add_moe_layer(context);
      } else if (is_encoder || settings_.decoder_ffn) {
        add(net_parameters(settings_.width, settings_.ffn));
        add_norm();
      }
    }
    return context.layer - first;
  }

 private:
  void add_moe_layer(RouterContext& context) {
    const MoeLayerSize size = size_of_layer_(context);
    const std::int64_t expert = net_parameters(settings_.width, size.layout.hidden(settings_.ffn));
    count_.total += size.layout.count * expert;
    count_.active += size.layout.active * expert;
    add(size.router_parameters);
    if (size.normed) add_norm();
    ++context.layer;
  }

  const ModelSettings& settings_;
  const MoeLayerSizer& size_of_layer_;
  ParameterCount count_;
};

double tokens_of(const Transformer& model, std::size_t layer, double source, double target) {
  return model.moe_places()[layer].stack == Stack::encoder ? source : target;
}

}  // namespace

ParameterCount count_parameters(const Transformer& model) {
  ParameterCount count;
  count.total = elements(model.parameters());
  count.active = count.total;
  for (const auto& layer : model.moe_layers()) {
    const std::int64_t expert = net_parameters(model.settings().width, layer->layout().hidden(model.settings().ffn));
    const std::int64_t elsewhere = (layer->layout().count - layer->owned().count()) * expert;
    count.total += elsewhere;
    count.active += elsewhere;
    count.active -= expert * (layer->layout().count - layer->layout().active);
  }
  return count;
}

MoeLayerSize size_of(const Router& router) {
  return {router.layout(), elements(router.parameters()), router.contract().normed};
}

ParameterCount count_parameters(const ModelSettings& settings, const TokenCounts& token_counts, std::int64_t directions,
                                std::uint64_t seed, const MoeLayerSizer& size_of_layer) {
  Sizes sizes(settings, size_of_layer);
  sizes.add(std::ssize(token_counts.source) * settings.width);  // embeddings, tied
  const MoeBlocks blocks = moe_blocks(settings);
  const std::int64_t in_encoder =
      sizes.add_stack({settings.width, 0, Stack::encoder, token_counts.source, directions, seed}, blocks.encoder);
  sizes.add_stack({settings.width, in_encoder, Stack::decoder, token_counts.target, directions, seed}, blocks.decoder);
  if (settings.norm == "pre") {
    sizes.add_norm();
    sizes.add_norm();
  }
  return sizes.count();
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
