#pragma once
// From axes and includes to configurations, before any of them is read.

#include "core/config.h"
#include "harness/sweep/config_paths.h"
#include "harness/sweep/json_tools.h"

#include <cstddef>
#include <string>
#include <vector>

namespace moe {

/// Keys that one item of an axis, or one entry of `include`, sets in the base.
struct Overlay {
  std::vector<PathValue> keys;
  std::string place;   ///< in the sweep file: "grid.strategy.experts[1]", "include[0]"
  std::string parent;  ///< the path that `place` stands for: a key's place is what follows it
};

struct Axis {
  std::string path;
  std::vector<Overlay> items;

  /// True when an item sets `path`, something above it or something below it.
  bool overrides(const std::string& path) const;
};

/// One configuration as JSON, with what was laid over the base in order.
struct Candidate {
  Json config;
  std::vector<const Overlay*> overlays;

  /// Where the value at `path` stands in the sweep file.
  std::string place_of(const std::string& path) const;
};

/// The most configurations that a sweep may make before duplicates are removed.
inline constexpr std::size_t most_candidates = 10000;

/// Reads `grid`: dotted keys with lists of values. An object is merged deeply into the section of that name; in the
/// axis `strategy.router` it is merged into `strategy`, a router with its own options and objective.
std::vector<Axis> read_axes(const Json& grid, const ConfigPaths& paths, ConfigErrors& errors);

/// Reads an entry of `include` or `exclude`, or one side of a claim: an object of nested or dotted keys.
Overlay read_entry(const Json& object, const std::string& place, const ConfigPaths& paths, ConfigErrors& errors);

/// read_entry of every item of the list that stands at `name`.
std::vector<Overlay> read_entries(const Json& list, const std::string& name, const ConfigPaths& paths,
                                  ConfigErrors& errors);

/// All combinations, the last axis fastest; then for each include the base with the entry, crossed with the axes that
/// it leaves free. An entry that sets an axis' key, or one above or below it, fixes that axis. The overlays are pointed
/// to, and must live on. With an error, the base alone when there are more than `most_candidates`.
std::vector<Candidate> expand(const Json& base, const std::vector<Axis>& axes, const std::vector<Overlay>& includes,
                              ConfigErrors& errors);

/// Adds an error for a key that can never have the entry's value, nor one of the entry's list.
void check_conditions(const Overlay& entry, const ConfigPaths& paths, ConfigErrors& errors);

/// True when every key of the entry has, in the resolved configuration, the entry's value or one of the entry's list.
bool matches(const Json& config, const Overlay& entry);

}  // namespace moe
