#include "model/model_settings.h"

#include "core/error.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

using Blocks = std::vector<std::int64_t>;

ModelSettings settings_with(const Json& json) {
  ModelSettings settings;
  ConfigErrors errors;
  read_settings(settings, json, "model", errors);
  errors.throw_if_any("test");
  return settings;
}

/// What reading and checking say.
std::vector<std::string> complaints(const Json& json) {
  ModelSettings settings;
  ConfigErrors errors;
  read_settings(settings, json, "model", errors);
  if (errors.empty()) check_settings(settings, "model", errors);
  return errors.sentences();
}

bool complains_about(const Json& json, const std::string& path) {
  const auto sentences = complaints(json);
  UNSCOPED_INFO(json.dump() << " gave " << Json(sentences).dump());
  return sentences.size() == 1 && sentences.front().starts_with(path + ":");
}

}  // namespace

TEST_CASE("presets grow from first to last, and replace all sizes") {
  CHECK(model_presets() == std::vector<std::string>{"tiny", "small", "iwslt", "base"});
  ModelSettings settings;
  for (const std::string& name : model_presets()) {
    const std::int64_t before = settings.width * settings.ffn * settings.encoder_layers;
    settings.apply_preset(name);
    CHECK(settings.preset == name);
    CHECK(settings.width * settings.ffn * settings.encoder_layers >= before);
    ConfigErrors errors;
    check_settings(settings, "model", errors);
    CHECK(errors.empty());
  }
  CHECK(settings.width == 512);  // Vaswani et al. 2017, table 3, base
  CHECK(settings.ffn == 2048);
  CHECK(settings.heads == 8);
  CHECK(settings.encoder_layers == 6);
  CHECK_THROWS_WITH(settings.apply_preset("huge"),
                    "unknown model preset \"huge\"; known are tiny, small, iwslt, base.");
}

TEST_CASE("the defaults are the preset that they name") {
  ModelSettings preset;
  preset.apply_preset(ModelSettings().preset);
  CHECK(write_settings(preset) == write_settings(ModelSettings()));
}

TEST_CASE("MoE blocks come from moe_every unless they are listed") {
  CHECK(moe_blocks(settings_with({{"encoder_layers", 5}})).encoder == Blocks{1, 3});
  CHECK(moe_blocks(settings_with({{"decoder_layers", 6}, {"moe_every", 3}})).decoder == Blocks{2, 5});
  CHECK(moe_blocks(settings_with({{"moe_every", 1}})).encoder == Blocks{0, 1, 2, 3});
  CHECK(moe_blocks(settings_with({{"moe_every", 0}})).decoder.empty());

  const MoeBlocks both = moe_blocks(settings_with({{"moe_layers", {3, 0}}}));
  CHECK(both.encoder == Blocks{0, 3});
  CHECK(both.decoder == Blocks{0, 3});
  const MoeBlocks one = moe_blocks(settings_with({{"moe_layers", {{"decoder", {2}}}}}));
  CHECK(one.encoder.empty());
  CHECK(one.decoder == Blocks{2});
  CHECK(moe_blocks(settings_with({{"moe_layers", Json::array()}})).encoder.empty());
}

TEST_CASE("each wrong setting is named with its path") {
  CHECK(complaints(Json::object()).empty());
  CHECK(complains_about({{"heads", 3}}, "model.heads"));
  CHECK(complains_about({{"width", 33}, {"heads", 3}}, "model.width"));
  CHECK(complains_about({{"moe_layers", {1, 4}}}, "model.moe_layers[1]"));
  CHECK(complains_about({{"encoder_layers", 2}, {"moe_layers", {3}}}, "model.moe_layers[0]"));
  CHECK(complains_about({{"moe_layers", {{"encoder", {-1}}}}}, "model.moe_layers.encoder[0]"));
  CHECK(complains_about({{"moe_layers", {{"decodr", {1}}}}}, "model.moe_layers.decodr"));
  CHECK(complains_about({{"moe_layers", "all"}}, "model.moe_layers"));
  CHECK(complains_about({{"norm", "both"}}, "model.norm"));
  CHECK(complains_about({{"dropout", 1.0}}, "model.dropout"));
  CHECK(complains_about({{"widht", 64}}, "model.widht"));
  CHECK(complaints({{"moe_layers", {1, 1}}}).size() == 2);  // both places are named
}

TEST_CASE("layers of their own stand evenly among the decoder's blocks, one before a block") {
  CHECK(extra_blocks(settings_with({{"decoder_layers", 6}})).empty());
  CHECK(extra_blocks(settings_with({{"decoder_layers", 6}, {"extra_layers", 1}})) == Blocks{3});
  CHECK(extra_blocks(settings_with({{"decoder_layers", 6}, {"extra_layers", 2}})) == Blocks{2, 4});
  CHECK(extra_blocks(settings_with({{"decoder_layers", 2}, {"extra_layers", 2}})) == Blocks{0, 1});
}

}  // namespace moe
