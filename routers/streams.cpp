#include "routers/streams.h"

#include <torch/types.h>

namespace moe {

RandomStream call_stream(StreamTag tag, const RouterContext& context, const Tokens& tokens) {
  const std::int64_t moment = tokens.call.phase == Phase::train ? tokens.call.step : tokens.call.sample;
  return RandomStream(context.seed)
      .at(tag)
      .at(context.layer)
      .at(static_cast<std::int64_t>(tokens.call.phase))
      .at(moment)
      .at(tokens.call.forward_pass);
}

RandomStream token_stream(const RandomStream& parent, const Tokens& tokens, std::int64_t row) {
  return parent.at(tokens.sentence_T.accessor<std::int64_t, 1>()[row])
      .at(tokens.position_T.accessor<std::int64_t, 1>()[row]);
}

}  // namespace moe
