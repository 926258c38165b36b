#pragma once
// What a sweep comes to on this machine: runs with their names, data and vocabularies.

#include "data/corpus.h"
#include "harness/run/run_folder.h"
#include "harness/run/run_inputs.h"
#include "harness/sweep/sweep.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

struct PlannedRun {
  RunSpec spec;
  std::string id;
  RunInputs inputs;
  RunFolder folder;
  std::size_t data_index = 0;  ///< which of SweepPlan::data
};

/// One `data` section that runs share.
struct PlannedData {
  DataSettings settings;
  Corpus corpus;
  std::string digest;
  FileDigests texts;  ///< text_digests
  std::filesystem::path vocabulary;
};

struct SweepPlan {
  std::vector<PlannedRun> runs;
  std::vector<PlannedData> data;
};

/// Loads the data of every run, trains the vocabularies (below OUT/vocabulary, kept for the next time) and names the
/// runs. Throws Error for data that cannot be used.
SweepPlan plan_sweep(const Sweep& sweep, const std::filesystem::path& out);

}  // namespace moe
