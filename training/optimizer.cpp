#include "training/optimizer.h"

#include "core/error.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/record_function.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

/// What one call of the fused kernel works on.
struct FusedLists {
  std::vector<torch::Tensor> parameters, gradients, first_moments, second_moments, steps;
};

const torch::Tensor& stored(const TensorFile& file, const std::string& name, const torch::Tensor& like) {
  const auto found = file.tensors.find(name);
  MOE_CHECK(found != file.tensors.end() && found->second.sizes() == like.sizes(),
            "The checkpoint has no \"{}\" of the expected shape.", name);
  return found->second;
}

}  // namespace

double learning_rate_at(const TrainingSettings& settings, std::int64_t update) {
  const auto now = static_cast<double>(update);
  const auto warmup = static_cast<double>(settings.warmup);
  return settings.learning_rate * std::min(now / warmup, std::sqrt(warmup / now));
}

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
    const auto options = slot.parameter.options().dtype(torch::kFloat32).requires_grad(false);
    slot.steps = slot.moe_layer < 0 ? torch::zeros({}, options) : torch::zeros({slot.parameter.size(0)}, options);
    slots_.push_back(std::move(slot));
  }
}

double Optimizer::step(double learning_rate, const ExpertLoads& loads) {
  RECORD_USER_SCOPE("optimizer");
  const torch::NoGradGuard no_grad;
  FusedLists lists;
  const auto add = [&](const torch::Tensor& parameter, const torch::Tensor& gradient, const Slot& slot, auto part) {
    lists.parameters.push_back(parameter);
    lists.gradients.push_back(gradient);
    lists.first_moments.push_back(part(slot.first_moment));
    lists.second_moments.push_back(part(slot.second_moment));
    lists.steps.push_back(part(slot.steps));
  };
  for (const Slot& slot : slots_) {
    const torch::Tensor& gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    if (slot.moe_layer < 0) {
      add(slot.parameter, gradient, slot, [](const torch::Tensor& tensor) { return tensor; });
      continue;
    }
    const auto& load = loads.at(static_cast<std::size_t>(slot.moe_layer));
    for (std::int64_t e = 0; e < slot.parameter.size(0); ++e) {
      if (load[static_cast<std::size_t>(e)] == 0 && settings_.unused_expert_grad == "none") continue;
      add(slot.parameter[e], gradient[e], slot, [e](const torch::Tensor& tensor) { return tensor.select(0, e); });
    }
  }
  // Experts that are left out have a gradient of 0. In float64, so that a parameter without a gradient does not move
  // the last digit of the others' scale.
  const double norm = torch::stack(at::_foreach_norm(lists.gradients)).to(torch::kFloat64).norm().item<double>();
  if (!std::isfinite(norm)) throw Error(non_finite_sentence(), ExitStatus::runs_failed);
  // The fused kernel divides gradients by this scale as it reads them.
  std::optional<torch::Tensor> scale;
  if (settings_.clip_norm > 0 && norm > settings_.clip_norm) {
    scale = torch::full({}, norm / settings_.clip_norm, lists.steps.front().options());
  }
  at::_foreach_add_(lists.steps, 1);
  at::_fused_adamw_(lists.parameters, lists.gradients, lists.first_moments, lists.second_moments, {}, lists.steps,
                    learning_rate, settings_.adam_beta1, settings_.adam_beta2, settings_.weight_decay,
                    settings_.adam_epsilon, /*amsgrad=*/false, /*maximize=*/false, scale, {});
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
