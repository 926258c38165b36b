#pragma once
// Options that are one of a few names: strings where a sweep is read and written, an enum once a router is made.

#include "routers/rules.h"

#include <array>
#include <cstddef>
#include <string>

namespace moe {

/// A name and what it stands for. The list of an option is the one place where its names stand: `Field::choices` comes
/// from it by rule_names, and the value of a router by choice_named.
template <class Enum>
struct Choice {
  const char* name;
  Enum value;
};

template <class Enum, std::size_t count>
Enum choice_named(const std::array<Choice<Enum>, count>& choices, const std::string& name) {
  return rule_named(choices, name).value;
}

}  // namespace moe
