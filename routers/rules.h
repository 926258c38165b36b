#pragma once
// Tables of rules that an option chooses from by name, such as the capacity formulas of other projects.

#include "core/error.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace moe {

/// The rule of that name. Throws for a name that is not in the table.
template <class Rule, std::size_t count>
const Rule& rule_named(const std::array<Rule, count>& rules, const std::string& name) {
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule& other) { return other.name == name; });
  MOE_CHECK(rule != rules.end(), "There is no rule \"{}\".", name);
  return *rule;
}

/// What the option may be.
template <class Rule, std::size_t count>
std::vector<std::string> rule_names(const std::array<Rule, count>& rules) {
  std::vector<std::string> names;
  for (const Rule& rule : rules) names.emplace_back(rule.name);
  return names;
}

}  // namespace moe
