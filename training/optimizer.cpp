#include "training/optimizer.h"

#include "core/error.h"
#include "model/expert_shards.h"

#include <ATen/record_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace moe {
Optimizer::Optimizer(Transformer& model, const TrainingSettings& settings) : model_(model), settings_(settings) {
  for (const auto& item : model.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    Slot slot{item.key(), item.value(), torch::zeros_like(item.value()), torch::zeros_like(item.value()), {}, -1};
    const std::optional<std::size_t> layer = moe_layer_of_expert_parameter(model, item.value());
    if (layer) {
      slot.moe_layer = static_cast<std::int64_t>(*layer);
      slot.first_expert = model.moe_layers()[*layer]->owned().first;
    }
    slot.steps = slot.moe_layer < 0 ? torch::zeros({}) : torch::zeros({slot.parameter.size(0)});
    slots_.push_back(std::move(slot));
  }
}

std::vector<AdamwPart> Optimizer::parts_to_step(const ExpertLoads& loads) {
  std::vector<AdamwPart> parts;
  for (Slot& slot : slots_) {
    if (!slot.parameter.grad().defined()) continue;
    const torch::Tensor gradient = slot.parameter.grad().contiguous();
    auto* steps = slot.steps.mutable_data_ptr<float>();
    const bool is_stacked = slot.moe_layer >= 0;
    const std::int64_t count = slot.parameter.numel() / std::max<std::int64_t>(slot.steps.numel(), 1);
    for (std::int64_t e = 0; e < slot.steps.numel(); ++e) {
      const bool is_unused =
          is_stacked &&
          loads.at(static_cast<std::size_t>(slot.moe_layer))[static_cast<std::size_t>(slot.first_expert + e)] == 0;
      if (is_unused && settings_.unused_expert_grad == "none") continue;
      parts.push_back({slot.parameter, gradient, slot.first_moment, slot.second_moment, e * count, count, steps + e});
    }
  }
  return parts;
}

double Optimizer::step(double learning_rate, const ExpertLoads& loads) {
  RECORD_USER_SCOPE("optimizer");
  const torch::NoGradGuard no_grad;
  const std::vector<AdamwPart> parts = parts_to_step(loads);
  // Experts that are left out have a gradient of 0.
  const double norm = model_.exchange() == nullptr ? gradient_norm(parts) : norm_over_ranks(parts);
  if (!std::isfinite(norm)) throw Error(non_finite_sentence(), ExitStatus::runs_failed);
  const bool clips = settings_.clip_norm > 0 && norm > settings_.clip_norm;
  adamw_step(parts, {.learning_rate = learning_rate,
                     .beta1 = settings_.adam_beta1,
                     .beta2 = settings_.adam_beta2,
                     .epsilon = settings_.adam_epsilon,
                     .weight_decay = settings_.weight_decay,
                     .gradient_scale = clips ? settings_.clip_norm / norm : 1});
  for (Slot& slot : slots_) slot.parameter.mutable_grad().reset();
  return norm;
}

double Optimizer::norm_over_ranks(const std::vector<AdamwPart>& parts) const {
  // Experts are on one rank each, everything else is on all alike.
  nlohmann::json mine = nlohmann::json::array();
  for (const AdamwPart& part : parts) {
    const auto slot = static_cast<std::size_t>(
        std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.parameter.is_same(part.parameter); }) -
        slots_.begin());
    const bool is_stacked = slots_[slot].moe_layer >= 0;
    if (!is_stacked && !model_.exchange()->ranks().is_first()) continue;
    const std::int64_t expert = is_stacked ? slots_[slot].first_expert + part.first / part.count : 0;
    mine.push_back({slot, expert, gradient_squares({part})});
  }
  std::map<std::pair<std::size_t, std::int64_t>, std::vector<double>> squares;
  const std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(mine);
  for (const std::string& text :
       model_.exchange()->ranks().all_gather("norms of gradients", std::string(bytes.begin(), bytes.end()))) {
    for (const auto& part : nlohmann::json::from_cbor(text)) {
      squares[{part[0].get<std::size_t>(), part[1].get<std::int64_t>()}] = part[2].get<std::vector<double>>();
    }
  }
  double sum = 0;
  for (const auto& [place, of_part] : squares) sum = std::accumulate(of_part.begin(), of_part.end(), sum);
  return std::sqrt(sum);
}

std::string Optimizer::non_finite_sentence() const {
  for (const Slot& slot : slots_) {
    const torch::Tensor& gradient = slot.parameter.grad();
    if (gradient.defined() && !gradient.isfinite().all().item<bool>()) {
      return fmt::format("The gradient of {} is not a finite number.", slot.name);
    }
  }
  return "The norm of the gradient is not a finite number.";
}

void Optimizer::save(LazyTensors& sources) const {
  for (const Slot& slot : slots_) {
    const auto add = [&](const char* prefix, const torch::Tensor& part) {
      sources.emplace(prefix + slot.name, gathered(model_, slot.parameter, part));
    };
    add("optimizer.first_moment.", slot.first_moment);
    add("optimizer.second_moment.", slot.second_moment);
    add("optimizer.steps.", slot.steps);
  }
}

void Optimizer::load(const TensorFile& file) {
  for (Slot& slot : slots_) {
    const auto restore = [&](const std::string& name, torch::Tensor& tensor) {
      const auto found = file.tensors.find(name + slot.name);
      const torch::Tensor part =
          found == file.tensors.end() ? torch::Tensor() : own_part(model_, slot.parameter, found->second);
      MOE_CHECK(part.defined() && part.sizes() == tensor.sizes(), "The checkpoint has no \"{}\" of the expected shape.",
                name + slot.name);
      tensor.copy_(part);
    };
    restore("optimizer.first_moment.", slot.first_moment);
    restore("optimizer.second_moment.", slot.second_moment);
    restore("optimizer.steps.", slot.steps);
  }
}

}  // namespace moe
