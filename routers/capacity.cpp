#include "routers/capacity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace moe {

/// What a rule computes from. Legend of the formulas: S tokens, E experts, K choices, cf the factor.
struct CapacityQuestion {
  double factor;
  Phase phase;
  std::int64_t choices, tokens, experts;

  double share() const { return factor * static_cast<double>(tokens) / static_cast<double>(experts); }
  double share_of_choices() const { return share() * static_cast<double>(choices); }
  /// ceil(S / E)
  std::int64_t even() const { return (tokens + experts - 1) / experts; }
};

/// Another project's formula, or ours.
struct CapacityRule {
  const char* name;
  std::int64_t minimum;
  std::int64_t (*slots)(const CapacityQuestion&);
};

namespace {

// 1.1 * 10 is 11.000000000000002 in floating point: without the guard its ceiling would be 12, and the floor of a
// product just below a whole number would be one too small.
constexpr double guard = 1e-9;
std::int64_t up(double value) {
  return static_cast<std::int64_t>(std::ceil(value - guard));
}
std::int64_t down(double value) {
  return static_cast<std::int64_t>(std::floor(value + guard));
}

std::int64_t no_drop_if_zero(std::int64_t slots) {
  return slots > 0 ? slots : std::numeric_limits<std::int64_t>::max();
}

std::int64_t norm(const CapacityQuestion& q) {
  return up(q.share_of_choices());
}

std::int64_t fairseq(const CapacityQuestion& q) {
  if (q.phase == Phase::evaluate) return up(q.factor * static_cast<double>(q.tokens));
  return q.choices == 1 ? down(q.factor * static_cast<double>(q.even())) : q.choices * q.even();
}

constexpr std::array<CapacityRule, 8> capacity_rules = {{
    {"norm", 0, norm},
    {"mesh", 4, [](const CapacityQuestion& q) { return down(q.share()); }},
    {"flaxformer", 4, [](const CapacityQuestion& q) { return static_cast<std::int64_t>(std::nearbyint(q.share())); }},
    {"fairseq", 0, fairseq},
    {"deepspeed", 8, norm},
    {"tutel", 0, [](const CapacityQuestion& q) { return q.choices * down(q.factor * static_cast<double>(q.even())); }},
    {"vmoe", 0, [](const CapacityQuestion& q) { return (norm(q) + 3) / 4 * 4; }},
    {"megablocks", 0, [](const CapacityQuestion& q) { return no_drop_if_zero(down(q.share_of_choices())); }},
}};

constexpr auto fill_orders = std::to_array<FillOrder>({
    {"position", true, FillOrder::Key::none},
    {"bpr", true, FillOrder::Key::probability_of_first},
    {"per_expert_prob", false, FillOrder::Key::probability},
    {"random", false, FillOrder::Key::random},
    {"ntlb", false, FillOrder::Key::none, /*offers_next_best=*/true},
});

}  // namespace

Capacity::Capacity(const CapacityOptions& options)
    : factor(options.capacity_factor),
      evaluation_factor(options.evaluation_capacity_factor),
      slots(options.capacity),
      rule(&rule_named(capacity_rules, options.capacity_rule)),
      minimum(options.minimum_capacity.value_or(rule->minimum)),
      group(choice_named(groupings, options.group)),
      fill(&rule_named(fill_orders, options.fill)) {}

bool CapacityOptions::offers_next_best() const {
  return rule_named(fill_orders, fill).offers_next_best;
}

void CapacityOptions::visit(FieldVisitor& visitor) {
  visitor.field({.key = "capacity_factor",
                 .help = "slots of an expert over its even share of the choices, in training; null: no limit",
                 .minimum = 0,
                 .above_minimum = true},
                capacity_factor);
  visitor.field({.key = "capacity",
                 .help = "slots of an expert as a number, in training and evaluation; null: by the factors",
                 .minimum = 1},
                capacity);
  visitor.field({.key = "capacity_rule",
                 .help = "slots by a factor cf for K choices of S tokens among E experts: ceil(cf K S / E) (norm; "
                         "deepspeed), floor(cf S / E) (mesh), that rounded half to even (flaxformer), "
                         "floor(cf ceil(S / E)) for one choice and K ceil(S / E) for several, at evaluation ceil(cf S) "
                         "(fairseq), K floor(cf ceil(S / E)) (tutel), norm rounded up to fours (vmoe), floor(cf K S / "
                         "E), where 0 is no limit (megablocks)",
                 .choices = rule_names(capacity_rules)},
                capacity_rule);
  visitor.field({.key = "minimum_capacity",
                 .help = "least number of slots that a factor gives; null: 4 by the rules of mesh and flaxformer, 8 by "
                         "deepspeed's, else 0",
                 .minimum = 0},
                minimum_capacity);
  visitor.field({.key = "evaluation_capacity_factor",
                 .help = "capacity_factor at evaluation; null: no limit, so that batch mates change nothing",
                 .minimum = 0,
                 .above_minimum = true},
                evaluation_capacity_factor);
  visitor.field({.key = "group",
                 .help = "which tokens compete for slots and share a balance loss",
                 .choices = rule_names(groupings)},
                group);
  visitor.field({.key = "fill",
                 .help = "who gets a slot when there are too few: tokens in their order (position) or by their largest "
                         "probability (bpr), in both all first choices before any second; each expert its most "
                         "probable tokens (per_expert_prob) or a random sample (random); or tokens in order, and who "
                         "finds no slot the next best of up to four experts (ntlb, for one choice a token)",
                 .choices = rule_names(fill_orders)},
                fill);
}

std::optional<std::int64_t> capacity_of(const Capacity& capacity, Phase phase, std::int64_t choices,
                                        std::int64_t valid_tokens, std::int64_t experts) {
  if (capacity.slots) return std::min(*capacity.slots, valid_tokens);
  const auto& factor = phase == Phase::train ? capacity.factor : capacity.evaluation_factor;
  if (!factor) return std::nullopt;
  const std::int64_t slots = capacity.rule->slots({*factor, phase, choices, valid_tokens, experts});
  return std::min(std::max(capacity.minimum, slots), valid_tokens);
}

}  // namespace moe
