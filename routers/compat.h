#pragma once
// Compatibility profiles: the options of a router that describe another project, under the project's name.

#include "core/config.h"

#include <string>
#include <utility>
#include <vector>

namespace moe {

/// A project and the values that its router has here. Profiles choose rules alone: numbers (k, capacity factors,
/// jitter, weights of losses) differ between the runs of one project.
struct CompatProfile {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;
};
using CompatProfiles = std::vector<CompatProfile>;

/// One choice a token; two; k.
const CompatProfiles& switch_profiles();
const CompatProfiles& gshard_profiles();
const CompatProfiles& top_k_profiles();

/// What `compat` is where no profile is asked for, and once one is expanded.
inline constexpr const char* no_profile = "none";

/// The option `compat`.
void visit_compat(FieldVisitor& visitor, const CompatProfiles& profiles, std::string& compat);

/// Options as given, with those of the profile that they name where they do not name them themselves, and without
/// `compat`: what is left is what one would write out by hand. An unknown profile stays, for the reader to report.
Json expand_profile(Json given, const CompatProfiles& profiles);

}  // namespace moe
