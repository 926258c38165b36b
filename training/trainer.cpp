#include "training/trainer.h"

#include "core/error.h"
#include "model/expert_shards.h"
#include "model/load_parameters.h"
#include "model/model_size.h"
#include "parallel/share_out.h"
#include "training/autocast.h"
#include "training/gradient_sum.h"
#include "training/schedule.h"

#include <ATen/record_function.h>
#include <torch/types.h>

#include <cmath>
#include <numeric>
#include <optional>

namespace moe {
namespace {

constexpr std::int64_t batches_to_search = 1000;  ///< for the largest of a run, in whole epochs

void add_loads_of(const ExpertLoads& more, ExpertLoads& loads) {
  if (loads.empty()) {
    loads = more;
    return;
  }
  for (std::size_t layer = 0; layer < loads.size(); ++layer) {
    for (std::size_t e = 0; e < loads[layer].size(); ++e) loads[layer][e] += more[layer][e];
  }
}

/// Layers whose router has something to train, all of whose gradients are 0.
std::vector<std::size_t> gates_without_gradient(const Transformer& model) {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < model.moe_layers().size(); ++layer) {
    bool learns = false, heard = false;
    for (const torch::Tensor& parameter : model.moe_layers()[layer]->router().parameters()) {
      learns = learns || parameter.requires_grad();
      heard = heard || (parameter.grad().defined() && parameter.grad().any().item<bool>());
    }
    if (learns && !heard) layers.push_back(layer);
  }
  return layers;
}

/// What ranks add up of a step with these loads: all gradients but those of experts without tokens, which are 0.
std::vector<GradientRange> ranges_in_use(const Transformer& model, const ExpertLoads& loads) {
  std::vector<GradientRange> ranges;
  const std::vector<torch::Tensor> parameters = model.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::optional<std::size_t> layer = moe_layer_of_expert_parameter(model, parameters[p]);
    if (layer && model.exchange() != nullptr) continue;  // each on its owner alone
    const std::int64_t experts = layer ? std::ssize(loads[*layer]) : 1;
    const std::int64_t count = parameters[p].numel() / experts;
    for (std::int64_t e = 0; e < experts; ++e) {
      if (!layer || loads[*layer][static_cast<std::size_t>(e)] > 0) ranges.push_back({p, e * count, count});
    }
  }
  return ranges;
}

}  // namespace

Trainer::Trainer(Transformer& model, const EncodedSet& train, double sampling_temperature,
                 const TrainingSettings& training, const ObjectiveSettings& objective, ExecutionContext where)
    : model_(model),
      train_(train),
      sampling_temperature_(sampling_temperature),
      training_(training),
      objective_(objective),
      where_(where),
      optimizer_(model, training) {}

void Trainer::load_epoch() {
  epoch_batches_ = epoch_batches(train_, batch_limit(training_), sampling_temperature_, training_.seed, epoch_);
}

Batch Trainer::next_batch() {
  RECORD_USER_SCOPE("batches");
  if (epoch_batches_.empty()) load_epoch();
  const Batch batch = make_batch(train_, epoch_batches_[static_cast<std::size_t>(cursor_)]);
  if (++cursor_ == static_cast<std::int64_t>(epoch_batches_.size())) {
    cursor_ = 0;
    ++epoch_;
    epoch_batches_.clear();
  }
  return batch;
}

LossSums Trainer::compute_gradients(const Batch& batch, const MicroBatch& micro) {
  const ModelBatch tensors = make_model_batch(batch, where_.device);
  Losses losses;
  {
    const Autocast autocast(where_.device, training_.precision == "bf16");
    losses = compute_losses(model_, tensors, objective_, micro);
  }
  losses.total.backward();
  const LossSums& sums = losses;
  return sums;
}

void Trainer::reserve_memory() {
  const auto target_tokens = [](const Batch& batch) { return batch.sentences * batch.target_length; };
  const auto tokens = [&](const Batch& batch) { return batch.sentences * batch.source_length + target_tokens(batch); };
  Batch most_tokens, most_target_tokens;  // the latter has the largest logits
  std::int64_t seen = 0;
  for (std::int64_t epoch = 0; seen < batches_to_search; ++epoch) {
    const auto batches = epoch_batches(train_, batch_limit(training_), sampling_temperature_, training_.seed, epoch);
    for (const auto& members : batches) {
      const Batch batch = make_batch(train_, members);
      if (tokens(batch) > tokens(most_tokens)) most_tokens = batch;
      if (target_tokens(batch) > target_tokens(most_target_tokens)) most_target_tokens = batch;
    }
    seen += std::ssize(batches);
  }
  rehearse(most_tokens);
  if (target_tokens(most_target_tokens) > target_tokens(most_tokens)) rehearse(most_target_tokens);
}

void Trainer::rehearse(const Batch& batch) {
  if (model_.exchange() != nullptr) {  // all ranks at once, each with a micro-batch of its own
    model_.exchange()->begin_update(where_.ranks.size());
    model_.exchange()->begin_micro_batch(where_.ranks.rank());
  }
  compute_gradients(batch, {update_ + 1, 0, 1, batch.target_tokens});
  if (model_.exchange() != nullptr) {
    model_.exchange()->settle();
    model_.exchange()->finish_update();
  }
  for (torch::Tensor& parameter : model_.parameters()) parameter.mutable_grad().reset();
}

double Trainer::epochs() const {
  if (epoch_batches_.empty()) return static_cast<double>(epoch_);
  return static_cast<double>(epoch_) + static_cast<double>(cursor_) / static_cast<double>(epoch_batches_.size());
}

double Trainer::share_spent(double seconds) const {
  return share_of_budget(training_, {.updates = update_, .flops = flops_, .seconds = seconds});
}

StepReport Trainer::step(double seconds) {
  StepReport report;
  report.update = update_ + 1;
  report.learning_rate = learning_rate_at(training_, report.update, share_spent(seconds));
  std::vector<Batch> batches;
  for (std::int64_t i = 0; i < training_.accumulate; ++i) {
    batches.push_back(next_batch());
    report.target_tokens += batches.back().target_tokens;
    const double body =
        body_flops(model_, batches.back().sentences, batches.back().source_tokens, batches.back().target_tokens);
    report.flops += 3.0 * static_cast<double>(objective_.passes) * body;
  }
  where_.ranks.set_update(report.update);
  ExpertLoads loads;
  GradientSum gradients(model_.parameters(),
                        share_of(training_.accumulate, where_.ranks.rank(), where_.ranks.size()).first);
  ExpertExchange* const exchange = model_.exchange();
  if (exchange != nullptr) exchange->begin_update(training_.accumulate);
  const auto micro_batch = [&](std::int64_t i) {
    if (exchange != nullptr) exchange->begin_micro_batch(i);
    LossSums sums = compute_gradients(batches[static_cast<std::size_t>(i)],
                                      {report.update, i, training_.accumulate, report.target_tokens});
    gradients.take();
    return sums;
  };
  for (const LossSums& losses : share_out<LossSums>(where_.ranks, "losses", training_.accumulate, micro_batch)) {
    add_loads_of(losses.loads, loads);
    const auto tokens = static_cast<double>(report.target_tokens);
    const double shares = static_cast<double>(training_.accumulate * objective_.passes);
    report.cross_entropy += losses.cross_entropy / tokens;
    report.plain += losses.plain / tokens;
    report.consistency += losses.consistency / tokens;
    report.balance += losses.balance / shares;
    report.z += losses.z / shares;
  }
  if (!std::isfinite(report.cross_entropy)) {
    throw Error(fmt::format("The loss is not a finite number at update {}.", report.update), ExitStatus::runs_failed);
  }
  const bool alone = where_.ranks.size() == 1;
  gradients.finish(where_.ranks, alone ? std::vector<GradientRange>() : ranges_in_use(model_, loads));
  if (exchange != nullptr) exchange->finish_update();
  report.gates_without_gradient = gates_without_gradient(model_);
  report.gradient_norm = optimizer_.step(report.learning_rate, loads);
  for (std::size_t layer = 0; layer < loads.size(); ++layer) {
    const auto assignments = std::accumulate(loads[layer].begin(), loads[layer].end(), std::int64_t{0});
    report.flops += 3.0 * static_cast<double>(assignments) * pair_flops(model_, layer);
    model_.moe_layers()[layer]->router().after_step(loads[layer]);
  }
  update_ = report.update;
  learning_rate_ = report.learning_rate;
  flops_ += report.flops;
  target_tokens_ += report.target_tokens;
  return report;
}

void Trainer::save(LazyTensors& sources) const {
  for (const auto& item : model_.named_parameters()) {
    sources.emplace("model." + item.key(), gathered(model_, item.value(), item.value().detach()));
  }
  for (const auto& item : model_.named_buffers()) sources.emplace("model." + item.key(), item.value());
  optimizer_.save(sources);
  sources.emplace("trainer.position", torch::tensor({update_, epoch_, cursor_, target_tokens_}, torch::kInt64));
  sources.emplace("trainer.flops", torch::tensor({flops_}, torch::kFloat64));
}

void Trainer::load(const TensorFile& file) {
  load_parameters(model_, file);
  optimizer_.load(file);
  const torch::Tensor& position = file.tensors.at("trainer.position");
  update_ = position[0].item<std::int64_t>();
  epoch_ = position[1].item<std::int64_t>();
  cursor_ = position[2].item<std::int64_t>();
  target_tokens_ = position[3].item<std::int64_t>();
  flops_ = file.tensors.at("trainer.flops")[0].item<double>();
  epoch_batches_.clear();
  if (cursor_ > 0) load_epoch();  // epochs() counts its batches, also when no step follows
}

}  // namespace moe
