#pragma once
// What a router's choices are worth: a trained model is evaluated with others in their place. Where that costs nothing,
// learning where to send tokens has brought nothing (the premise of THOR, Zuo et al. 2022, section 2).

#include "core/random.h"
#include "routers/plan.h"

namespace moe {

/// False where the swap means nothing: one expert, slots that mix tokens, experts that are merged, and second_best
/// without a gate.
bool can_swap_routing(const RoutingPlan& plan, RoutingSwap swap);

/// The plan with other choices; as it is where can_swap_routing says no. Shared experts keep their tokens, and every
/// choice keeps its weight.
///   shuffled     each valid token has all the choices of another one, so each expert's load stays
///   second_best  each token's most probable expert among those that it did not choose takes the place of the most
///                probable one that it did
///   random       the experts of each token are moved on by one number, drawn from 0 to E - 1
/// `stream`: of the layer and the call.
RoutingPlan with_swapped_routing(const RoutingPlan& plan, RoutingSwap swap, const Tokens& tokens,
                                 const RandomStream& stream);

}  // namespace moe
