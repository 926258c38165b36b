#pragma once
// Random streams of a call and of its tokens: equal for equal tokens, whatever the batch.

#include "core/random.h"
#include "routers/router.h"

#include <cstdint>

namespace moe {

/// The stream of this layer, step (or draw, at evaluation) and pass: a parent of every draw of one call. Streams of
/// training and evaluation never meet.
RandomStream call_stream(StreamTag tag, const RouterContext& context, const Tokens& tokens);

/// Stream of token `row` below `parent`, by its sentence and position.
RandomStream token_stream(const RandomStream& parent, const Tokens& tokens, std::int64_t row);

}  // namespace moe
