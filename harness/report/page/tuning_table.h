#pragma once
// The trials of `moe-bench tune` that stand beside results: what every strategy tried before the sweep was run.

#include "harness/report/tables/text_table.h"
#include "harness/results/result_set.h"

#include <string>
#include <vector>

namespace moe {

struct Tuning {
  std::string name;  ///< of the sweep that was tuned
  TextTable trials;  ///< a row for each trial; the chosen settings are marked
  std::vector<std::string> notes;
};

/// Of every folder of the results that has tuning.json, or tuning/tuning.json. One that cannot be read has no trials
/// and a note that says why.
std::vector<Tuning> read_tunings(const ResultSet& results);

}  // namespace moe
