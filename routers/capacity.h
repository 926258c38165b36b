#pragma once
// Capacity: how many slots an expert has in a group of tokens that compete for it.

#include "core/config.h"
#include "routers/tokens.h"

#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// Options of every router with slots.
struct CapacityOptions {
  std::optional<double> capacity_factor;             ///< cf of capacity_of; none: no limit
  std::optional<std::int64_t> capacity;              ///< slots outright; overrides the factor and holds in both phases
  std::string capacity_rule = "norm";                ///< whose formula
  std::optional<std::int64_t> minimum_capacity;      ///< none: the rule's own
  std::optional<double> evaluation_capacity_factor;  ///< cf at evaluation; none: no limit
  std::string group = "batch";    ///< batch | sentence: which tokens compete, also for the balance loss
  std::string fill = "position";  ///< who gets a slot when there are too few

  void visit(FieldVisitor& visitor);
};

/// Slots of one expert in a group with `valid_tokens` real tokens (padding takes no part), or none for no limit: by
/// default max(minimum, ceil(cf * choices * valid_tokens / experts)), at most `valid_tokens` (routers.md 0.16). The
/// other rules round, and count choices, as the project of their name does.
std::optional<std::int64_t> capacity_of(const CapacityOptions& options, Phase phase, std::int64_t choices,
                                        std::int64_t valid_tokens, std::int64_t experts);

}  // namespace moe
