#pragma once
// Capacity: how many slots an expert has in a group of tokens that compete for it.

#include "core/config.h"
#include "routers/choices.h"
#include "routers/tokens.h"

#include <array>
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
  bool offers_next_best() const;  ///< see FillOrder
};

/// Which tokens compete for slots, and share a balance loss.
enum class Grouping { batch, sentence };
inline constexpr auto groupings = std::to_array<Choice<Grouping>>({
    {"batch", Grouping::batch},
    {"sentence", Grouping::sentence},
});

/// An order in which choices are given slots.
struct FillOrder {
  enum class Key { none, probability_of_first, probability, random };

  const char* name = "";
  bool by_rank = false;           ///< all first choices come before any second
  Key key = Key::none;            ///< then by falling probability or at random; none: tokens in their order
  bool offers_next_best = false;  ///< who finds no slot is offered the next best expert; for one choice a token
};

struct CapacityRule;

/// What a router holds of its CapacityOptions: names looked up.
struct Capacity {
  Capacity() : Capacity(CapacityOptions{}) {}
  explicit Capacity(const CapacityOptions& options);

  std::optional<double> factor, evaluation_factor;
  std::optional<std::int64_t> slots;  ///< outright
  const CapacityRule* rule;
  std::int64_t minimum;
  Grouping group;
  const FillOrder* fill;
};

/// Slots of one expert in a group with `valid_tokens` real tokens (padding takes no part), or none for no limit: by
/// default max(minimum, ceil(cf * choices * valid_tokens / experts)), at most `valid_tokens` (routers.md 0.16). The
/// other rules round, and count choices, as the project of their name does.
std::optional<std::int64_t> capacity_of(const Capacity& capacity, Phase phase, std::int64_t choices,
                                        std::int64_t valid_tokens, std::int64_t experts);

}  // namespace moe
