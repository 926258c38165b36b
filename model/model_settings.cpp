#include "model/model_settings.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>
#include <array>

namespace moe {
namespace {

struct Preset {
  const char* name;
  std::int64_t encoder_layers, decoder_layers, width, ffn, heads;
};
constexpr std::array<Preset, 4> presets{{
    {"tiny", 4, 4, 128, 256, 4},
    {"small", 4, 4, 256, 1024, 4},
    {"iwslt", 6, 6, 512, 1024, 4},
    {"base", 6, 6, 512, 2048, 8},
}};

Json placement_schema() {
  const Json indices = {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 0}}}, {"uniqueItems", true}};
  const Json by_stack = {{"type", "object"},
                         {"additionalProperties", false},
                         {"properties", {{"encoder", indices}, {"decoder", indices}}}};
  return {{"oneOf", Json::array({Json{{"type", "null"}}, indices, by_stack})}};
}

void check_indices(const Json& indices, std::int64_t layers, const std::string& path, ConfigErrors& errors) {
  if (!indices.is_array()) {
    errors.add(path, fmt::format("found {}, expected a list of block indices.", indices.dump()));
    return;
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const bool is_block = indices[i].is_number_integer() && indices[i] >= 0 && indices[i] < layers;
    errors.check(is_block, fmt::format("{}[{}]", path, i),
                 fmt::format("found {}, but the stack's blocks are 0 to {}.", indices[i].dump(), layers - 1));
    errors.check(std::count(indices.begin(), indices.end(), indices[i]) == 1, fmt::format("{}[{}]", path, i),
                 fmt::format("block {} is named twice.", indices[i].dump()));
  }
}

/// Adds what is wrong with the places of MoE blocks.
void check_placement(const ModelSettings& settings, const std::string& path, ConfigErrors& errors) {
  const std::string placement = join_path(path, "moe_layers");
  const Json& layers = settings.moe_layers;
  if (layers.is_null()) return;
  if (layers.is_array()) {
    check_indices(layers, std::min(settings.encoder_layers, settings.decoder_layers), placement, errors);
  } else if (layers.is_object()) {
    for (const auto& [stack, indices] : layers.items()) {
      const bool known = stack == "encoder" || stack == "decoder";
      errors.check(known, join_path(placement, stack), unknown_key_sentence(stack, {"encoder", "decoder"}));
      const std::int64_t count = stack == "encoder" ? settings.encoder_layers : settings.decoder_layers;
      if (known) check_indices(indices, count, join_path(placement, stack), errors);
    }
  } else {
    errors.add(placement, fmt::format("found {}, expected a list of block indices, an object or null.", layers.dump()));
  }
}

std::vector<std::int64_t> blocks_of(const ModelSettings& settings, const char* stack, std::int64_t layers) {
  if (settings.moe_layers.is_array() || settings.moe_layers.is_object()) {
    const Json& indices =
        settings.moe_layers.is_array() ? settings.moe_layers : settings.moe_layers.value(stack, Json::array());
    auto blocks = indices.get<std::vector<std::int64_t>>();
    std::sort(blocks.begin(), blocks.end());
    return blocks;
  }
  std::vector<std::int64_t> blocks;
  for (std::int64_t i = 0; i < layers && settings.moe_every > 0; ++i) {
    if ((i + 1) % settings.moe_every == 0) blocks.push_back(i);
  }
  return blocks;
}

}  // namespace

std::vector<std::string> model_presets() {
  std::vector<std::string> names;
  for (const Preset& preset : presets) names.emplace_back(preset.name);
  return names;
}

void ModelSettings::apply_preset(const std::string& name) {
  const auto* found = std::find_if(presets.begin(), presets.end(), [&](const Preset& p) { return p.name == name; });
  MOE_CHECK(found != presets.end(), "unknown model preset \"{}\"; known are {}.", name, join(model_presets(), ", "));
  preset = name;
  encoder_layers = found->encoder_layers;
  decoder_layers = found->decoder_layers;
  width = found->width;
  ffn = found->ffn;
  heads = found->heads;
}

void ModelSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "preset", .help = "sizes that the other keys override", .choices = model_presets()}, preset);
  visitor.field({.key = "encoder_layers", .help = "encoder blocks", .minimum = 1, .maximum = 1000}, encoder_layers);
  visitor.field({.key = "decoder_layers", .help = "decoder blocks", .minimum = 1, .maximum = 1000}, decoder_layers);
  visitor.field({.key = "width", .help = "width of the token states", .minimum = 2, .maximum = 65536}, width);
  visitor.field(
      {.key = "ffn", .help = "hidden width of a feed-forward net, and of one expert", .minimum = 1, .maximum = 1048576},
      ffn);
  visitor.field({.key = "decoder_ffn", .help = "whether decoder blocks have a feed-forward net after their attention"},
                decoder_ffn);
  visitor.field({.key = "heads", .help = "attention heads", .minimum = 1, .maximum = 1024}, heads);
  visitor.field(
      {.key = "dropout", .help = "on embeddings and on the output of every sublayer", .minimum = 0, .maximum = 0.95},
      dropout);
  visitor.field({.key = "norm", .help = "layer norm before or after a sublayer", .choices = {"pre", "post"}}, norm);
  visitor.field({.key = "moe_layers",
                 .help = "zero-based MoE blocks of both stacks, or {\"encoder\": [...], \"decoder\": [...]}; "
                         "null: by moe_every",
                 .schema = placement_schema()},
                moe_layers);
  visitor.field({.key = "moe_every",
                 .help = "n: block i is an MoE block when (i + 1) mod n = 0; 0: none",
                 .minimum = 0,
                 .maximum = 1000},
                moe_every);
  visitor.field({.key = "extra_layers",
                 .help = "MoE layers of their own, evenly among the decoder's blocks, beside those that replace a "
                         "feed-forward net (BASE: 1, with moe_every 0)",
                 .minimum = 0,
                 .maximum = 1000},
                extra_layers);
  visitor.field({.key = "expert_init",
                 .help = "experts start as independent draws, or all as expert 0",
                 .choices = {"independent", "copy"}},
                expert_init);
}

void check_settings(const ModelSettings& settings, const std::string& path, ConfigErrors& errors) {
  errors.check(settings.width % settings.heads == 0, join_path(path, "heads"),
               fmt::format("{} heads do not divide the width {}.", settings.heads, settings.width));
  errors.check(settings.width % 2 == 0, join_path(path, "width"),
               fmt::format("{} is odd; sinusoidal positions need an even width.", settings.width));
  errors.check(settings.extra_layers <= settings.decoder_layers, join_path(path, "extra_layers"),
               fmt::format("found {}, but there are {} decoder blocks, and each takes one.", settings.extra_layers,
                           settings.decoder_layers));
  const std::size_t faults = errors.sentences().size();
  check_placement(settings, path, errors);
  if (errors.sentences().size() == faults && !settings.decoder_ffn) {
    errors.check(moe_blocks(settings).decoder.empty(), join_path(path, "decoder_ffn"),
                 "without feed-forward nets the decoder has no place for MoE blocks; list those of the encoder in "
                 "moe_layers.");
  }
}

MoeBlocks moe_blocks(const ModelSettings& settings) {
  return {blocks_of(settings, "encoder", settings.encoder_layers),
          blocks_of(settings, "decoder", settings.decoder_layers)};
}

std::vector<std::int64_t> extra_blocks(const ModelSettings& settings) {
  std::vector<std::int64_t> blocks;
  for (std::int64_t i = 0; i < settings.extra_layers; ++i) {
    blocks.push_back((i + 1) * settings.decoder_layers / (settings.extra_layers + 1));
  }
  return blocks;
}

}  // namespace moe
