#include "training/optimizer.h"

#include "core/error.h"

#include <ATen/record_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

const torch::Tensor& stored(const TensorFile& file, const std::string& name, const torch::Tensor& like) {
  const auto found = file.tensors.find(name);
  MOE_CHECK(found != file.tensors.end() && found->second.sizes() == like.sizes(),
            "The checkpoint has no \"{}\" of the expected shape.", name);
  return found->second;
}

}  // namespace

Optimizer::Optimizer(Transformer& model, const TrainingSettings& settings) : settings_(settings) {
  for (const auto& item : model.named_parameters()) {
    if (!item.value().requires_grad()) continue;
    Slot slot{item.key(), item.value(), torch::zeros_like(item.value()), torch::zeros_like(item.value()), {}, -1};
    for (std::size_t layer = 0; layer < model.moe_layers().size(); ++layer) {
      const auto experts = model.moe_layers()[layer]->expert_parameters();
      const bool is_expert =
          std::any_of(experts.begin(), experts.end(), [&](const auto& tensor) { return tensor.is_same(item.value()); });
      if (is_expert) slot.moe_layer = static_cast<std::int64_t>(layer);
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
    const std::int64_t count = slot.parameter.numel() / slot.steps.numel();
    for (std::int64_t e = 0; e < slot.steps.numel(); ++e) {
      const bool is_unused =
          is_stacked && loads.at(static_cast<std::size_t>(slot.moe_layer))[static_cast<std::size_t>(e)] == 0;
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
  const double norm = gradient_norm(parts);
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

std::string Optimizer::non_finite_sentence() const {
  for (const Slot& slot : slots_) {
    const torch::Tensor& gradient = slot.parameter.grad();
    if (gradient.defined() && !gradient.isfinite().all().item<bool>()) {
      return fmt::format("The gradient of {} is not a finite number.", slot.name);
    }
  }
  return "The norm of the gradient is not a finite number.";
}

void Optimizer::save(TensorFile& file) const {
  for (const Slot& slot : slots_) {
    file.tensors["optimizer.first_moment." + slot.name] = slot.first_moment;
    file.tensors["optimizer.second_moment." + slot.name] = slot.second_moment;
    file.tensors["optimizer.steps." + slot.name] = slot.steps;
  }
}

void Optimizer::load(const TensorFile& file) {
  for (Slot& slot : slots_) {
    slot.first_moment.copy_(stored(file, "optimizer.first_moment." + slot.name, slot.first_moment));
    slot.second_moment.copy_(stored(file, "optimizer.second_moment." + slot.name, slot.second_moment));
    slot.steps.copy_(stored(file, "optimizer.steps." + slot.name, slot.steps));
  }
}

}  // namespace moe
