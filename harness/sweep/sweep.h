#pragma once
// The sweep file: base configuration, grid, includes, excludes, overrides, claims, tuning.

#include "harness/sweep/parallel_settings.h"
#include "harness/sweep/run_spec.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

struct Sweep {
  std::string name;
  std::vector<RunSpec>
      runs;  ///< without duplicates, in the order of the file: the last axis of the grid varies fastest
  Json claims = Json::array();
  ParallelSettings parallel;
  Json tune;  ///< as given (tune_settings.h); null: none
  /// The file as given after --set, with the defaults of the base filled in. It makes the same runs: `strategy` and
  /// `model` stay as given where runs differ in router or preset, whose defaults are theirs.
  Json resolved;
};

/// Reads a sweep. `settings` are the `key.path=value` of --set (set_option.h). Throws Error with every error of the
/// file, a line each: "FILE: JSON.PATH: what was found and what is allowed."
Sweep read_sweep(const std::filesystem::path& file, const std::vector<std::string>& settings);

/// The same for a caller who has more to check: adds all errors to `errors`, and returns what could be read. Throws
/// only when the file cannot be read or is not a JSON object.
Sweep read_sweep(const std::filesystem::path& file, const std::vector<std::string>& settings, ConfigErrors& errors);

/// Adds an error for each file that an option of a router names and that cannot be read.
void check_files(const Sweep& sweep, ConfigErrors& errors);

/// Adds what check_data (load_corpus.h) finds, for each different `data` section among the runs once. Returns what was
/// left out of files, a sentence for each.
std::vector<std::string> check_data(const Sweep& sweep, ConfigErrors& errors);

/// JSON Schema (2020-12) of sweep files, built from the settings structs and the registry.
Json sweep_schema();

}  // namespace moe
