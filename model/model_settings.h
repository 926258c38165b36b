#pragma once
// The `model` section of a sweep: sizes of the shared Transformer and where its MoE layers are.

#include "core/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

struct ModelSettings {
  std::string preset = "tiny";  ///< tiny | small | iwslt | base: sizes that the keys below override
  std::int64_t encoder_layers = 4;
  std::int64_t decoder_layers = 4;
  std::int64_t width = 128;  ///< D
  std::int64_t ffn = 256;    ///< hidden width of a feed-forward block, and of one expert
  std::int64_t heads = 4;
  bool decoder_ffn = true;   ///< false: decoder blocks have attention alone
  double dropout = 0.1;      ///< on embeddings and on the output of every sublayer
  std::string norm = "pre";  ///< pre | post
  /// Zero-based block indices, [1, 3] for both stacks or {"encoder": [...], "decoder": [...]}; null: by `moe_every`.
  Json moe_layers;
  std::int64_t moe_every = 2;               ///< n: block i is an MoE block when (i + 1) mod n = 0; 0: none
  std::int64_t extra_layers = 0;            ///< MoE layers of their own, among the decoder's blocks
  std::string expert_init = "independent";  ///< independent | copy

  /// Replaces the sizes by those of a preset. Throws for an unknown name.
  void apply_preset(const std::string& name);
  void visit(FieldVisitor& visitor);
};

/// Names of the presets, smallest first.
std::vector<std::string> model_presets();

/// Adds what is wrong across keys: heads that do not divide the width, an odd width, indices that are no block.
void check_settings(const ModelSettings& settings, const std::string& path, ConfigErrors& errors);

/// Blocks whose feed-forward net is an MoE layer, ascending.
struct MoeBlocks {
  std::vector<std::int64_t> encoder;
  std::vector<std::int64_t> decoder;
};
MoeBlocks moe_blocks(const ModelSettings& settings);

/// Decoder blocks that an MoE layer of its own stands before, ascending: of n layers, layer i before block
/// floor((i + 1) * decoder_layers / (n + 1)), as BASE layers stand in fairseq.
std::vector<std::int64_t> extra_blocks(const ModelSettings& settings);

}  // namespace moe
