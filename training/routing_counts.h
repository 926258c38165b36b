#pragma once
// How an MoE layer routed, counted from its plans.

#include "metrics/routing.h"
#include "routers/plan.h"

#include <cstdint>

namespace moe {

/// Adds what a plan did with its tokens. Experts that take every token are no choice and are left out; where slots
/// stand between tokens and experts (soft MoE), a token counts for the expert that has the largest share in it.
void add_plan(const RoutingPlan& whole_plan, const Tokens& tokens, std::int64_t directions, RoutingCounts& counts);

}  // namespace moe
