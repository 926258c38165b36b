#pragma once
// The first choices of a run's routers on the validation set, as far as they are kept: whether two seeds learned the
// same routes can be told from them.

#include <cstdint>
#include <filesystem>
#include <vector>

namespace moe {

/// [MoE layer][token]: expert, -1 for none. A layer of one expert has no tokens.
using RoutingChoices = std::vector<std::vector<std::int64_t>>;

/// At most so many tokens of each layer are written: 4,096 tell an agreement to 1 %.
inline constexpr std::size_t most_kept_choices = 4096;

/// A line for each layer: its choices, separated by spaces.
void write_routing_choices(const std::filesystem::path& file, const RoutingChoices& choices);

/// Throws (request_wrong) naming file and line for what write_routing_choices would not have written.
RoutingChoices read_routing_choices(const std::filesystem::path& file);

}  // namespace moe
