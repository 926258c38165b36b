#pragma once
// Random streams of a call and of its tokens: equal for equal tokens, whatever the batch.

#include "core/random.h"
#include "routers/router.h"

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// The stream of this layer, step (or sample, at evaluation) and forward pass: a parent of every draw of one call.
/// Streams of training and evaluation never meet.
RandomStream call_stream(StreamTag tag, const RouterContext& context, const Tokens& tokens);

/// Stream of token `row` below `parent`, by its sentence and position.
RandomStream token_stream(const RandomStream& parent, const Tokens& tokens, std::int64_t row);

/// A float32 table [T, columns] on the CPU: for each valid token and column draw(stream of that token and column), a
/// double; `padding` in the rows of padding.
template <class Draw>
torch::Tensor draw_table(std::int64_t columns, const RandomStream& parent, const Tokens& tokens, double padding,
                         Draw draw) {
  torch::Tensor table_TC = torch::full({tokens.count(), columns}, padding, torch::kFloat32);
  auto table = table_TC.accessor<float, 2>();
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!valid[t]) continue;
    const RandomStream token = token_stream(parent, tokens, t);
    for (std::int64_t column = 0; column < columns; ++column) {
      table[t][column] = static_cast<float>(draw(token.at(column)));
    }
  }
  return table_TC;
}

}  // namespace moe
