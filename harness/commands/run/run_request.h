#pragma once
// What the user asks of `run` and `tune`.

#include "harness/process/progress.h"
#include "harness/run/gpu/gpus.h"
#include "parallel/communicator.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// "I/N" of --shard: this call takes every N-th run, from the I-th. Shards may run side by side, here or elsewhere.
struct Shard {
  std::size_t index = 1;
  std::size_t count = 1;
};

/// Reads "I/N". Throws Error unless 1 <= I <= N.
Shard parse_shard(const std::string& text);

struct RunRequest {
  std::filesystem::path sweep;
  std::filesystem::path out;          ///< empty: results/NAME
  std::vector<std::string> settings;  ///< key.path=value
  int jobs = 0;                       ///< runs side by side; 0: as many as cores and memory, or the GPUs, allow
  int jobs_per_gpu = 1;               ///< at most, as far as they fit into its memory
  int threads = 1;                    ///< of each run
  Shard shard;
  bool dry_run = false;
  bool fresh = false;    ///< forget earlier results of these runs
  bool profile = false;  ///< results tell where the time of training goes
  DeviceChoice device;
  Communicator* ranks = nullptr;  ///< that share each run; null: a run is a process of its own
  Verbosity verbosity = Verbosity::normal;
};

}  // namespace moe
