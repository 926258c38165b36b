#include "model/transformer.h"

#include "core/error.h"
#include "model/load_parameters.h"
#include "tests/support/catch.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

#include <torch/utils.h>

#include <functional>

// Legend: B sentences, T target positions, D width, V vocabulary.

namespace moe {
namespace {

ModelSettings with_norm(const char* norm) {
  ModelSettings settings = tiny_settings();
  settings.norm = norm;
  return settings;
}

enum class Competing { included, left_out };

/// Every router in both placements of the norms; with or without those in which sentences compete.
void for_each_model(const std::function<void(Transformer&)>& check, Competing competing = Competing::included) {
  const torch::NoGradGuard no_gradient;
  const auto check_model = [&](const std::string& router, const Json& options, std::int64_t extra_layers) {
    for (const char* norm : {"pre", "post"}) {
      CAPTURE(router, options.dump(), norm, extra_layers);
      ModelSettings settings = with_norm(norm);
      settings.extra_layers = extra_layers;
      const auto model = tiny_model(router, options, settings);
      disturb(*model);
      check(*model);
    }
  };
  for (const RouterEntry& entry : all_routers()) {
    if (entry.batch_dependent && competing == Competing::left_out) continue;
    if (!entry.needs_labels) check_model(entry.name, Json::object(), 0);
  }
  check_model("switch", Json::object(), 2);
  check_model("base", {{"residual", true}, {"sublayers", 2}}, 1);
  check_model("smoe", {{"norm", "states"}}, 0);
}

/// The batch with more columns of padding on both sides.
ModelBatch widen(const EncodedSet& set, std::int64_t columns) {
  const auto side = [&](bool source) {
    std::vector<std::int64_t> ids, sentence, direction;
    std::size_t longest = 0;
    for (const EncodedPair& pair : set) longest = std::max(longest, (source ? pair.source : pair.target).size());
    const std::size_t length = longest + static_cast<std::size_t>(columns);
    for (const EncodedPair& pair : set) {
      std::vector<std::int64_t> row = pair.source;
      if (!source) {
        row = pair.target;
        row.pop_back();
        row.insert(row.begin(), begin_id);
      }
      row.resize(length, padding_id);
      ids.insert(ids.end(), row.begin(), row.end());
      sentence.push_back(pair.sentence);
      direction.push_back(pair.direction);
    }
    return make_model_tokens(ids, static_cast<std::int64_t>(length), sentence, direction, torch::kCPU);
  };
  ModelBatch batch;
  batch.source = side(true);
  batch.target = side(false);
  return batch;
}

/// States of the real positions of one row.
torch::Tensor real_states(const torch::Tensor& state_BTD, const EncodedSet& set, std::int64_t row) {
  return state_BTD[row].narrow(0, 0, static_cast<std::int64_t>(set[static_cast<std::size_t>(row)].target.size()));
}

/// The token of one position of every row, as beam search gives it.
ModelTokens step_tokens(const ModelTokens& target, std::int64_t position) {
  const auto column = [&](const torch::Tensor& values) {
    const torch::Tensor picked = values.view(target.id_BL.sizes()).select(1, position).contiguous();
    return std::vector<std::int64_t>(picked.data_ptr<std::int64_t>(), picked.data_ptr<std::int64_t>() + picked.numel());
  };
  const Tokens& routing = target.routing;
  ModelTokens tokens =
      make_model_tokens(column(routing.id_T), 1, column(routing.sentence_T), column(routing.direction_T), torch::kCPU);
  tokens.routing.previous_id_T = torch::tensor(column(routing.previous_id_T), torch::kInt64);
  return tokens;
}

}  // namespace

TEST_CASE("more padding changes no state of a real position") {
  const EncodedSet set = tiny_set();
  for_each_model([&](Transformer& model) {
    const torch::Tensor tight_BTD = states_of(model, tiny_batch(set));
    const torch::Tensor wide_BTD = states_of(model, widen(set, 5));
    CHECK(wide_BTD.size(1) == tight_BTD.size(1) + 5);
    for (std::int64_t row = 0; row < std::ssize(set); ++row) {
      CHECK(all_close(real_states(wide_BTD, set, row), real_states(tight_BTD, set, row), 1e-5));
    }
  });
}

TEST_CASE("a sentence has the same states alone and in a batch") {
  const EncodedSet set = tiny_set();
  for_each_model(
      [&](Transformer& model) {
        const torch::Tensor together_BTD = states_of(model, tiny_batch(set));
        for (std::int64_t row = 0; row < std::ssize(set); ++row) {
          const torch::Tensor alone_BTD = states_of(model, tiny_batch({set[static_cast<std::size_t>(row)]}));
          CHECK(all_close(alone_BTD[0], real_states(together_BTD, set, row), 1e-5));
        }
      },
      Competing::left_out);
}

TEST_CASE("a target token changes its own state and later ones, none before, and no other sentence's") {
  const EncodedSet set = tiny_set();
  EncodedSet changed = set;
  changed[1].target[2] = 17;  // read at position 3
  for_each_model([&](Transformer& model) {
    const torch::Tensor before_BTD = states_of(model, tiny_batch(set));
    const torch::Tensor after_BTD = states_of(model, tiny_batch(changed));
    const torch::Tensor difference_T = (after_BTD - before_BTD)[1].abs().amax(1);
    CHECK(difference_T.narrow(0, 0, 3).max().item<double>() < 1e-5);
    CHECK(difference_T.narrow(0, 3, 3).min().item<double>() > 1e-4);
    CHECK(all_close(after_BTD[0], before_BTD[0], 1e-5));
  });
}

TEST_CASE("every source token reaches every target position of its sentence") {
  const EncodedSet set = tiny_set();
  EncodedSet changed = set;
  changed[0].source[3] = 18;
  for_each_model(
      [&](Transformer& model) {
        const torch::Tensor before_BTD = states_of(model, tiny_batch(set));
        const torch::Tensor after_BTD = states_of(model, tiny_batch(changed));
        CHECK(real_states((after_BTD - before_BTD).abs(), set, 0).amax(1).min().item<double>() > 1e-5);
        CHECK(all_close(after_BTD[2], before_BTD[2], 1e-5));
      },
      Competing::left_out);
}

TEST_CASE("decoding step by step gives the states of the whole target") {
  const ModelBatch batch = tiny_batch();
  const ForwardContext pass{.call = {.phase = Phase::evaluate, .sample = 2}};
  for_each_model([&](Transformer& model) {
    const Memory memory = model.encode(batch.source, pass);
    const torch::Tensor whole_BTD = model.decode(batch.target, memory, pass).state_BTD;
    DecoderCache cache = model.make_cache(memory, 1, 12);
    for (std::int64_t position = 0; position < whole_BTD.size(1); ++position) {
      const torch::Tensor step_BD = model.decode_step(step_tokens(batch.target, position), cache, position, pass);
      const torch::Tensor real_B1 = batch.target.id_BL.select(1, position).ne(padding_id).unsqueeze(1);
      CHECK(all_close(step_BD * real_B1, whole_BTD.select(1, position) * real_B1, 1e-4));
    }
  });
}

TEST_CASE("a cache keeps the rows and sentences it is told to keep") {
  const torch::NoGradGuard no_gradient;
  const auto model = tiny_model("switch");
  disturb(*model);
  const ModelBatch batch = tiny_batch();
  const Memory memory = model->encode(batch.source, {});
  const torch::Tensor whole_BTD = model->decode(batch.target, memory, {}).state_BTD;
  DecoderCache cache = model->make_cache(memory, 1, 12);
  model->decode_step(step_tokens(batch.target, 0), cache, 0, {});
  const torch::Tensor kept = torch::tensor({1, 0}, torch::kInt64);
  cache.reorder_cache(kept);
  cache.keep_sentences(kept);
  const ModelBatch swapped = tiny_batch({tiny_set()[1], tiny_set()[0]});
  const torch::Tensor step_BD = model->decode_step(step_tokens(swapped.target, 1), cache, 1, {});
  CHECK(all_close(step_BD, whole_BTD.select(1, 1).index_select(0, kept), 1e-4));
}

TEST_CASE("for one seed, all strategies start with the same shared layers and the same expert 0") {
  const auto reference = tiny_model("dense");
  const auto shared = reference->named_parameters();
  for (const RouterEntry& entry : all_routers()) {
    CAPTURE(entry.name);
    const auto model = tiny_model(entry.name);
    for (const auto& item : model->named_parameters()) {
      CAPTURE(item.key());
      if (item.key().find(".ffn.") == std::string::npos) {
        REQUIRE(shared.contains(item.key()));
        CHECK(item.value().equal(shared[item.key()]));
      } else if (item.key().find(".router.") == std::string::npos && !entry.name.starts_with("dense-")) {
        CHECK(item.value()[0].equal(shared[item.key()][0]));
      }
    }
  }
  CHECK_FALSE(tiny_model("dense", Json::object(), tiny_settings(), 2)
                  ->named_parameters()["embedding"]
                  .equal(shared["embedding"]));
}

TEST_CASE("dropout works in training only, differs by step, pass and stack, and is the same for every strategy") {
  const torch::NoGradGuard no_gradient;
  ModelSettings settings = tiny_settings();
  settings.moe_every = 0;
  const ModelBatch batch = tiny_batch();
  const auto run = [&](double rate, const ForwardContext& pass) {
    settings.dropout = rate;
    return states_of(*tiny_model("dense", Json::object(), settings), batch, pass);
  };
  const torch::Tensor plain = run(0, {{Phase::train, 5, 0, 0}});
  const torch::Tensor dropped = run(0.3, {{Phase::train, 5, 0, 0}});
  CHECK(run(0.3, {{Phase::evaluate, 5, 0, 0}}).equal(plain));
  CHECK_FALSE(all_close(dropped, plain, 1e-3));
  CHECK(run(0.3, {{Phase::train, 5, 0, 0}}).equal(dropped));
  CHECK_FALSE(all_close(run(0.3, {{Phase::train, 6, 0, 0}}), dropped, 1e-3));
  CHECK_FALSE(all_close(run(0.3, {{Phase::train, 5, 1, 0}}), dropped, 1e-3));

  // Copied experts behind THOR are the dense net, if THOR's draws shift no mask.
  ModelSettings moe = tiny_settings();
  moe.expert_init = "copy";
  const ForwardContext pass{{Phase::train, 5, 0, 0}};
  CHECK(all_close(states_of(*tiny_model("thor", Json::object(), moe), batch, pass),
                  states_of(*tiny_model("dense", Json::object(), moe), batch, pass), 1e-5));

  // Nor does a layer that drops nothing of its own output: experts that add nothing behind either router.
  const auto idle = [&](const char* router, const Json& options) {
    const auto model = tiny_model(router, options, moe);
    for (const auto& item : model->named_parameters()) {
      if (item.key().ends_with(".ffn.w2")) item.value().zero_();
    }
    return states_of(*model, batch, pass);
  };
  CHECK(all_close(idle("base", {{"residual", true}}), idle("switch", Json::object()), 1e-5));
}

TEST_CASE("the embedding is tied: it reads tokens and writes logits") {
  const auto model = tiny_model("dense");
  const torch::Tensor embedding_VD = model->named_parameters()["embedding"];
  CHECK(embedding_VD.sizes() == torch::IntArrayRef({tiny_vocabulary, 16}));
  CHECK(embedding_VD[padding_id].abs().max().item<double>() == 0);
  const torch::Tensor state_BTD = states_of(*model, tiny_batch()).detach();
  const torch::Tensor logit_BTV = model->logits(state_BTD);
  CHECK(all_close(logit_BTV, state_BTD.matmul(embedding_VD.t()), 1e-5));
  CHECK(model->vocabulary_size() == tiny_vocabulary);

  model->logits(states_of(*model, tiny_batch())).select(-1, 23).sum().backward();
  CHECK(embedding_VD.grad()[23].abs().max().item<double>() > 0);  // written, never read
  CHECK(embedding_VD.grad()[5].abs().max().item<double>() > 0);   // read, not written
}

TEST_CASE("plans come from the MoE blocks, encoder first") {
  ModelSettings settings = tiny_settings();
  settings.moe_layers = Json{{"encoder", {0, 1}}, {"decoder", {1}}};
  const auto model = tiny_model("hash", Json::object(), settings);
  const ModelBatch batch = tiny_batch();
  const Memory memory = model->encode(batch.source, {});
  CHECK(memory.plans[0].size() == 2);
  CHECK(memory.plans[0][0].assignment.count() == batch.source.routing.valid);
  const Decoded decoded = model->decode(batch.target, memory, {});
  REQUIRE(decoded.plans[0].size() == 1);
  CHECK(decoded.plans[0][0].assignment.count() == batch.target.routing.valid);
  REQUIRE(model->moe_places().size() == 3);
  CHECK(model->moe_places()[1].block == 1);
  CHECK(model->moe_places()[2].stack == Stack::decoder);
}

TEST_CASE("a checkpoint restores parameters and buffers, and a wrong one is refused") {
  const torch::NoGradGuard no_gradient;
  const auto original = tiny_model("hash");
  disturb(*original);
  TensorFile file;
  for (const auto& item : original->named_parameters()) file.tensors["model." + item.key()] = item.value().clone();
  for (const auto& item : original->named_buffers()) file.tensors["model." + item.key()] = item.value().clone();
  const auto restored = tiny_model("hash", Json::object(), tiny_settings(), 2);
  load_parameters(*restored, file);
  CHECK(states_of(*restored, tiny_batch()).equal(states_of(*original, tiny_batch())));

  TensorFile wrong = file;
  wrong.tensors["model.embedding"] = torch::zeros({3, 16});
  CHECK_THROWS_AS(load_parameters(*restored, wrong), Error);
  wrong.tensors.erase("model.embedding");
  CHECK_THROWS_AS(load_parameters(*restored, wrong), Error);
}

TEST_CASE("layers of their own are in the decoder, before its blocks, and add to its work") {
  ModelSettings settings = tiny_settings();
  settings.moe_every = 0;
  settings.extra_layers = 1;
  const auto model = tiny_model("base", {{"residual", true}}, settings);
  REQUIRE(model->moe_places().size() == 1);
  CHECK(model->moe_places()[0].stack == Stack::decoder);
  CHECK(model->moe_places()[0].block == 1);
  CHECK(model->moe_places()[0].extra);

  // A residual BASE layer starts as the identity: the model is the one without it.
  const torch::NoGradGuard no_gradient;
  settings.extra_layers = 0;
  const auto plain = tiny_model("dense", Json::object(), settings);
  const ForwardContext pass{{Phase::evaluate, 0, 0, 0}};
  const ModelBatch batch = tiny_batch();
  const auto states = [&](Transformer& transformer) {
    return transformer.decode(batch.target, transformer.encode(batch.source, pass), pass).state_BTD;
  };
  CHECK(states(*model).equal(states(*plain)));
}

}  // namespace moe
