#pragma once
// Routing by task: a task is a direction of translation, one per sentence (Kudugunta et al. 2021).

#include "core/error.h"
#include "routers/router.h"

#include <torch/types.h>

namespace moe {

/// Each token's task, int64 [T]. A task that the router was not made for is an Error, never task 0.
inline torch::Tensor tasks_of(const Tokens& tokens, const RouterContext& context) {
  if (tokens.count() == 0) return tokens.direction_T;
  const auto last = tokens.direction_T.max().item<std::int64_t>();
  MOE_CHECK(last < context.directions && tokens.direction_T.min().item<std::int64_t>() >= 0,
            "Direction {} is not one of the {} that this router knows.", last, context.directions);
  return tokens.direction_T;
}

}  // namespace moe
