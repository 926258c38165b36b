#pragma once
// Names of the files in a run's folder, and the result that stands there.

#include "harness/results/record.h"
#include "harness/sweep/run_spec.h"

#include <filesystem>
#include <map>
#include <string>

namespace moe {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path config() const { return path / "config.json"; }
  std::filesystem::path result() const { return path / "result.json"; }
  std::filesystem::path checkpoint() const { return path / "checkpoint.safetensors"; }
  std::filesystem::path vocabulary() const { return path / "vocabulary.model"; }
  std::filesystem::path log() const { return path / "train.jsonl"; }
  std::filesystem::path inputs() const { return path / "inputs.json"; }  ///< harness/run/run_inputs.h
  std::filesystem::path lock() const { return path / "run.lock"; }

  /// True when a finished result stands there. Throws for one that cannot be read.
  bool is_finished() const;
};

/// The configuration that a run's folder holds. Throws for one that this program would not have written.
RunSpec read_run_config(const RunFolder& folder);

/// What the record of every run starts with, finished or failed: so far it is one that failed. `files` are the digests
/// of what the strategy names.
RunRecord result_header(const RunSpec& spec, const std::string& run_id, const std::string& data_digest,
                        const std::map<std::string, std::string>& files);

}  // namespace moe
