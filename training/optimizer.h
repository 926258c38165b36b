#pragma once
// Adam that knows the experts in use.

#include "kernels/adamw.h"
#include "model/safetensors.h"
#include "model/transformer.h"
#include "training/training_settings.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// Pairs per expert, for every MoE layer of the model in order: which experts a step used.
using ExpertLoads = std::vector<std::vector<std::int64_t>>;

/// AdamW (kernels/adamw.h). Stacked expert parameters are stepped expert by expert, each with its own moments and step
/// count: an expert without a token in a step stands still (`unused_expert_grad` none), exactly as if it were a
/// parameter of its own without a gradient.
class Optimizer {
 public:
  Optimizer(Transformer& model, const TrainingSettings& settings);

  /// Clips, steps and clears the gradients. Returns the gradient norm before clipping. Throws Error (runs_failed) when
  /// the norm is not finite, leaving the parameters as they were.
  double step(double learning_rate, const ExpertLoads& loads);

  /// As Trainer::save.
  void save(LazyTensors& sources) const;
  void load(const TensorFile& file);

 private:
  struct Slot {
    std::string name;
    torch::Tensor parameter;
    torch::Tensor first_moment, second_moment;
    torch::Tensor steps;            ///< float32 on the CPU; scalar, or one per expert
    std::int64_t moe_layer = -1;    ///< index of the MoE layer whose experts these are, or -1
    std::int64_t first_expert = 0;  ///< of those that this rank owns
  };

  /// What has a gradient, without the experts that stand still.
  std::vector<AdamwPart> parts_to_step(const ExpertLoads& loads);
  /// Of all ranks' gradients, added in the order of one process.
  double norm_over_ranks(const std::vector<AdamwPart>& parts) const;
  /// Names the first parameter whose gradient is not finite.
  std::string non_finite_sentence() const;

  Transformer& model_;
  TrainingSettings settings_;
  std::vector<Slot> slots_;
};

}  // namespace moe
