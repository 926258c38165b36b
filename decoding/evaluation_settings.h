#pragma once
// The `evaluation` section of a sweep.

#include "core/config.h"

#include <cstdint>

namespace moe {

struct EvaluationSettings {
  std::int64_t every = 500;               ///< updates between validations
  std::int64_t beam = 5;                  ///< on the test sets; 1 is greedy
  std::int64_t valid_beam = 1;            ///< on the validation set
  double length_penalty = 1.0;            ///< a: hypotheses are ranked by log-probability / length^a
  double max_length_ratio = 2;            ///< longest translation: this times the pieces of its source,
  std::int64_t max_length_constant = 10;  ///< and so many more, the end counted
  double average_share = 0.1;    ///< the test sets see the mean of the weights over this last share of training
  std::int64_t draws = 3;        ///< evaluations of a router whose evaluation is drawn at random
  bool routing_swaps = false;    ///< measure what other choices of experts cost the trained model
  bool inference_modes = false;  ///< measure each way to evaluate a router that draws its experts

  void visit(FieldVisitor& visitor);
};

}  // namespace moe
