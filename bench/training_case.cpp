#include "bench/training_case.h"

#include "core/random.h"
#include "model/safetensors.h"
#include "routers/registry.h"

#include <torch/types.h>

#include <fmt/format.h>

namespace moe {
namespace {

TrainingSettings training_settings(const TrainingCase& setting) {
  TrainingSettings training;
  training.tokens_per_batch = setting.tokens();
  training.precision = setting.precision;
  return training;
}

ObjectiveSettings objective_settings(const TrainingCase& setting) {
  ObjectiveSettings objective;
  objective.passes = setting.passes;
  if (setting.passes == 2) objective.consistency = 5;
  return objective;
}

void add_batch(const Batch& batch, std::int64_t index, TensorFile& file) {
  const auto add = [&](const char* name, const std::vector<std::int64_t>& ids) {
    file.tensors[fmt::format("batch.{}.{}", index, name)] =
        torch::tensor(ids, torch::kInt64).view({batch.sentences, -1});
  };
  add("source", batch.source);
  add("target_input", batch.target_input);
  add("target_output", batch.target_output);
}

}  // namespace

std::vector<TrainingCase> training_cases() {
  std::vector<TrainingCase> cases;
  for (const char* precision : {"fp32", "bf16"}) {
    cases.push_back({.name = "small", .precision = precision});
    cases.push_back({.name = "tiny", .precision = precision, .width = 128, .ffn = 256, .sentences = 64});
  }
  return cases;
}

EncodedSet random_sentences(const TrainingCase& setting, std::int64_t count) {
  EncodedSet set;
  const RandomStream stream = RandomStream(7).at(StreamTag::synthetic);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto side = [&](int which) {
      std::vector<std::int64_t> ids;
      for (std::int64_t t = 0; t + 1 < setting.length; ++t) {
        ids.push_back(end_id + 1 + stream.at(i).at(which).at(t).below(setting.vocabulary - end_id - 1));
      }
      ids.push_back(end_id);
      return ids;
    };
    set.push_back({side(0), side(1), {}, 0, i});
  }
  return set;
}

std::shared_ptr<Transformer> make_model(const TrainingCase& setting, const EncodedSet& set) {
  ModelSettings model;
  model.width = setting.width;
  model.ffn = setting.ffn;
  model.heads = setting.heads;
  model.encoder_layers = model.decoder_layers = setting.layers;
  model.dropout = setting.dropout;
  const auto dense = [](const RouterContext& context) { return find_router("dense").make(Json::object(), context); };
  return std::make_shared<Transformer>(model, count_tokens(set, setting.vocabulary), /*directions=*/1, /*seed=*/1,
                                       dense);
}

TrainingRun::TrainingRun(const TrainingCase& setting, torch::Device device)
    : train(random_sentences(setting, 8 * setting.sentences)),
      training(training_settings(setting)),
      objective(objective_settings(setting)),
      model(make_model(setting, train)),
      trainer((model->to(device), *model), train, /*sampling_temperature=*/1.0, training, objective, device) {}

std::vector<ProductShape> products_of(const TrainingCase& setting) {
  const std::int64_t T = setting.tokens() * setting.passes, D = setting.width, F = setting.ffn;
  const std::vector<ProductShape> self_attention = {{T, D, 3 * D}, {T, D, D}};
  const std::vector<ProductShape> cross_attention = {{T, D, D}, {T, D, 2 * D}, {T, D, D}};
  const std::vector<ProductShape> feed_forward = {{T, D, F}, {T, F, D}};
  std::vector<ProductShape> all;
  const auto add = [&](const std::vector<ProductShape>& part) { all.insert(all.end(), part.begin(), part.end()); };
  for (std::int64_t i = 0; i < setting.layers; ++i) {
    for (const auto& part : {self_attention, feed_forward}) add(part);
    for (const auto& part : {self_attention, cross_attention, feed_forward}) add(part);
  }
  all.push_back({T, D, setting.vocabulary});
  return all;
}

void dump_training_cases(const std::string& file) {
  constexpr std::int64_t updates = 200;
  for (TrainingCase setting : training_cases()) {
    if (setting.precision != "fp32") continue;
    setting.dropout = 0;
    TrainingRun run(setting);
    LazyTensors sources;
    run.trainer.save(sources);
    TensorFile content{make_tensors(sources), {}};
    for (auto& [name, tensor] : content.tensors) tensor = tensor.clone();  // as they are now
    std::int64_t index = 0;
    for (std::int64_t epoch = 0; index < updates; ++epoch) {
      for (const auto& members : epoch_batches(run.train, {setting.tokens()}, 1.0, run.training.seed, epoch)) {
        if (index < updates) add_batch(make_batch(run.train, members), index++, content);
      }
    }
    torch::Tensor loss = torch::empty({updates}, torch::kFloat64), rate = torch::empty({updates}, torch::kFloat64);
    for (std::int64_t i = 0; i < updates; ++i) {
      const StepReport report = run.trainer.step();
      loss[i] = report.cross_entropy;
      rate[i] = report.learning_rate;
    }
    content.metadata["training"] = write_settings(run.training).dump();
    content.metadata["model"] = Json{{"heads", setting.heads}, {"layers", setting.layers}}.dump();
    content.metadata["label_smoothing"] = fmt::format("{}", run.objective.label_smoothing);
    content.tensors["loss"] = loss;
    content.tensors["learning_rate"] = rate;
    write_safetensors(fmt::format("{}-{}.safetensors", file, setting.name), content);
  }
}

}  // namespace moe
