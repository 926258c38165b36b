#pragma once
// `overrides` of a sweep: settings for the runs that match, such as the learning rate that suits a strategy.

#include "harness/sweep/grid.h"

#include <vector>

namespace moe {

struct SweepOverride {
  Overlay where;  ///< conditions, as in `exclude`
  Overlay set;
};

/// Reads the list; `all_paths` has the keys of every router, `paths` those of the sweep's.
std::vector<SweepOverride> read_overrides(const Json& list, const ConfigPaths& all_paths, const ConfigPaths& paths,
                                          ConfigErrors& errors);

/// Lays what the overrides set over the candidate wherever their conditions hold for `config`, its configuration with
/// all defaults; a later override has the last word. True when one of them applied.
bool apply_overrides(const std::vector<SweepOverride>& overrides, const Json& config, Candidate& candidate);

}  // namespace moe
