#pragma once
// `parallel` of a sweep: how ranks that a launcher started share a run. It changes no result and no run's name.

#include "core/config.h"

#include <string>

namespace moe {

struct ParallelSettings {
  std::string experts = "replicated";  ///< replicated | tokens
  double deadline_s = 600;             ///< longest wait of a rank for the others

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts",
                   .help = "replicated: every rank has all experts, and gradients of those in use travel; tokens: each "
                           "rank has its part of the experts, and tokens travel to them",
                   .choices = {"replicated", "tokens"}},
                  experts);
    visitor.field({.key = "deadline_s",
                   .help = "seconds that a rank waits for the others before the job ends and says who is missing",
                   .minimum = 0,
                   .above_minimum = true},
                  deadline_s);
  }
};

}  // namespace moe
