#include "model/model_size.h"

#include "tests/support/catch.h"
#include "tests/support/models.h"

namespace moe {
namespace {

// Counted by hand for D = 16, F = 32, V = 24, two blocks in each stack of which the second is an MoE block.
constexpr std::int64_t D = 16, F = 32, V = 24;
constexpr std::int64_t attention = 4 * D * D + 4 * D;  // queries, keys, values, output, each with a bias
constexpr std::int64_t norm = 2 * D;
constexpr std::int64_t ffn = 2 * D * F + F + D;
constexpr std::int64_t embedding = V * D;  // tied: once
constexpr std::int64_t without_ffn = embedding + 2 * (attention + 2 * norm) + 2 * (2 * attention + 3 * norm) + 2 * norm;

/// Of one forward pass in which every token passes through as many experts as the layout says.
double forward_flops(const Transformer& model, std::int64_t sentences, std::int64_t source_tokens,
                     std::int64_t target_tokens) {
  double flops = body_flops(model, sentences, source_tokens, target_tokens);
  for (std::size_t i = 0; i < model.moe_layers().size(); ++i) {
    const std::int64_t tokens = model.moe_places()[i].stack == Stack::encoder ? source_tokens : target_tokens;
    flops += static_cast<double>(tokens * model.moe_layers()[i]->layout().active) * pair_flops(model, i);
  }
  return flops;
}

}  // namespace

TEST_CASE("parameters in total and active, counted by hand") {
  const auto check = [](const char* router, std::int64_t total, std::int64_t active) {
    CAPTURE(router);
    const ParameterCount count = count_parameters(*tiny_model(router));
    CHECK(count.total == total);
    CHECK(count.active == active);
  };
  constexpr std::int64_t dense = without_ffn + 4 * ffn;
  constexpr std::int64_t gate = 4 * D;
  CHECK(dense == 11584);
  check("dense", dense, dense);
  check("dense-2x", dense + 2 * (2 * D * F + F), dense + 2 * (2 * D * F + F));
  check("hash", dense + 6 * ffn, dense);
  check("thor", dense + 6 * ffn, dense);
  check("switch", dense + 2 * (3 * ffn + gate), dense + 2 * gate);
  check("gshard", dense + 2 * (3 * ffn + gate), dense + 2 * (ffn + gate));
}

TEST_CASE("counted from settings alone, the parameters of every router's model are those of the model that is built") {
  std::vector<ModelSettings> models(4, tiny_settings());
  models[1].norm = "post";
  models[1].moe_layers = {{"encoder", {0, 1}}, {"decoder", {0}}};
  models[2].extra_layers = 2;
  models[3].decoder_ffn = false;
  models[3].moe_layers = {{"encoder", {1}}};
  models[3].extra_layers = 1;
  TokenCounts counts;
  for (std::int64_t id = 0; id < tiny_vocabulary; ++id) counts.source.push_back(100 + id);
  counts.target = counts.source;
  for (const RouterEntry& entry : all_routers()) {
    for (const ModelSettings& settings : models) {
      CAPTURE(entry.name, settings.extra_layers, settings.norm);
      const ParameterCount built = count_parameters(*tiny_model(entry.name, Json::object(), settings));
      const ParameterCount counted = count_parameters(settings, counts, 1, 1, [&](const RouterContext& context) {
        return size_of(*build(entry.name, Json::object(), context));
      });
      CHECK(counted.total == built.total);
      CHECK(counted.active == built.active);
    }
  }
}

TEST_CASE("post-norm has no norm behind a stack") {
  ModelSettings settings = tiny_settings();
  settings.norm = "post";
  CHECK(count_parameters(*tiny_model("dense", Json::object(), settings)).total == without_ffn + 4 * ffn - 2 * norm);
}

TEST_CASE("floating-point operations of one sentence, counted by hand") {
  // 3 source and 2 target tokens. Two operations per weight and token; attention needs 2 D for a score and 2 D for its
  // share of the mean.
  constexpr double map = 2 * 16 * 16, net = 2 * 2 * 16 * 32, seen = 4 * 16;
  constexpr double encoder = 2 * (3 * (4 * map + net) + 9 * seen);
  constexpr double decoder_self = 2 * 4 * map + 3 * seen;                 // position 0 sees 1, position 1 sees 2
  constexpr double decoder_cross = 2 * 2 * map + 3 * 2 * map + 6 * seen;  // keys and values once per source token
  constexpr double dense = encoder + 2 * (decoder_self + decoder_cross + 2 * net) + 2 * 2 * 16 * 24;
  constexpr double gates = (3 + 2) * 2 * 4 * 16;
  const auto flops = [](const char* router) { return forward_flops(*tiny_model(router), 1, 3, 2); };
  CHECK(flops("dense") == Approx(dense));
  CHECK(flops("hash") == Approx(dense));
  CHECK(flops("dense-2x") == Approx(dense + 5 * net));
  CHECK(flops("switch") == Approx(dense + gates));
  CHECK(flops("gshard") == Approx(dense + gates + 5 * net));
}

TEST_CASE("a layer of its own replaces no feed-forward net") {
  ModelSettings settings = tiny_settings();
  settings.moe_every = 0;
  const double plain = forward_flops(*tiny_model("dense", Json::object(), settings), 2, 8, 10);
  settings.extra_layers = 1;
  const double more = forward_flops(*tiny_model("dense", Json::object(), settings), 2, 8, 10);
  CHECK(more - plain == Approx(10.0 * 2 * 2 * 16 * 32));
}

}  // namespace moe
