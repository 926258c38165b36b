#pragma once
// Another router in the decoder, for routers whose choice reads later tokens of a sentence: there it would show a
// position its own future.

#include "routers/router.h"

#include <functional>
#include <string>

namespace moe {

/// The router of the decoder for these resolved options: a name of the registry, made with the same number of experts.
/// Empty: the router itself decides in the decoder too.
using DecoderChoice = std::function<std::string(const Json& options)>;

/// `entry` with another router in the decoder, whose parameters are named "decoder.NAME".
RouterEntry with_decoder_router(RouterEntry entry, DecoderChoice choice);

}  // namespace moe
