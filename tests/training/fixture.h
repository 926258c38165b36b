#pragma once
// What the training tests share: a tiny Transformer with any router, and a trainer for it.

#include "core/random.h"
#include "tests/routers/fixture.h"
#include "tests/support/tiny_data.h"
#include "training/trainer.h"

#include <torch/types.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace moe {

/// Two blocks on either side, the second of each an MoE layer.
inline ModelSettings tiny_model_settings() {
  ModelSettings settings;
  settings.encoder_layers = settings.decoder_layers = 2;
  settings.width = 32;
  settings.ffn = 48;
  settings.heads = 2;
  settings.dropout = 0;
  return settings;
}

/// A model for tiny_pairs with this router in its MoE layers.
inline std::shared_ptr<Transformer> tiny_transformer(const std::string& router, const Json& options = Json::object(),
                                                     const ModelSettings& settings = tiny_model_settings(),
                                                     std::int64_t directions = 1, std::uint64_t seed = 1) {
  const TokenCounts counts = count_tokens(tiny_pairs(50, directions), tiny_vocabulary);
  return std::make_shared<Transformer>(settings, counts, directions, seed,
                                       [&](const RouterContext& context) { return build(router, options, context); });
}

/// A model in training, with all that it needs.
struct TinyTraining {
  EncodedSet pairs = tiny_pairs(40);
  TrainingSettings training;
  ObjectiveSettings objective;
  std::shared_ptr<Transformer> model;
  std::unique_ptr<Trainer> trainer;

  TinyTraining() {
    training.tokens_per_batch = 64;
    training.learning_rate = 3e-3;
    training.warmup = 10;
  }
  /// Builds model and trainer from the settings so far.
  TinyTraining& start(const std::string& router, const Json& options = Json::object(), double dropout = 0,
                      torch::Device device = torch::kCPU) {
    ModelSettings settings = tiny_model_settings();
    settings.dropout = dropout;
    model = tiny_transformer(router, options, settings);
    model->to(device);
    trainer = std::make_unique<Trainer>(*model, pairs, 1.0, training, objective, device);
    return *this;
  }
};

/// Sentence pairs of 2 to `longest` tokens: hardly two batches of an epoch have one shape.
inline EncodedSet pairs_of_all_lengths(std::int64_t count, std::int64_t longest) {
  const RandomStream draws(7);
  const auto sentence = [&](RandomStream stream) {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < 1 + stream.below(longest - 1); ++i) {
      ids.push_back(end_id + 1 + stream.at(i).below(tiny_vocabulary - end_id - 1));
    }
    ids.push_back(end_id);
    return ids;
  };
  EncodedSet set;
  for (std::int64_t i = 0; i < count; ++i) {
    EncodedPair pair;
    pair.source = sentence(draws.at(i).at("source"));
    pair.target = sentence(draws.at(i).at("target"));
    pair.sentence = i;
    set.push_back(std::move(pair));
  }
  return set;
}

/// Values now, which later steps do not change.
inline std::map<std::string, torch::Tensor> copies(const std::map<std::string, torch::Tensor>& tensors) {
  std::map<std::string, torch::Tensor> result;
  for (const auto& [name, tensor] : tensors) result[name] = tensor.clone();
  return result;
}

/// All that a checkpoint holds of a trainer or an optimiser.
template <class Owner>
std::map<std::string, torch::Tensor> state_of(const Owner& owner) {
  LazyTensors sources;
  owner.save(sources);
  return copies(make_tensors(sources));
}

/// The first name whose tensors are not bitwise equal, or an empty string.
inline std::string first_difference(const std::map<std::string, torch::Tensor>& a,
                                    const std::map<std::string, torch::Tensor>& b) {
  for (const auto& [name, tensor] : a) {
    if (b.count(name) == 0 || !tensor.equal(b.at(name))) return name;
  }
  return a.size() == b.size() ? "" : "another number of tensors";
}

}  // namespace moe
