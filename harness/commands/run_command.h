#pragma once
// `moe-bench run`: runs what is missing of a sweep, then writes summary and report.

#include "core/error.h"
#include "harness/process/progress.h"
#include "harness/results/result_set.h"
#include "harness/run/gpu/gpus.h"
#include "harness/run/sweep_plan.h"
#include "harness/sweep/sweep.h"

#include "parallel/communicator.h"

#include <filesystem>
#include <iosfwd>
#include <optional>
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

/// What became of a sweep.
struct SweepOutcome {
  ExitStatus status = ExitStatus::success;
  SweepPlan plan;     ///< empty after a dry run
  ResultSet results;  ///< of the whole folder; empty after a dry run or an interruption
};

/// Runs what is missing of a sweep that was read, in `folder`, as run_sweep does. Summary and report are written once
/// every run of the sweep has a result there: by the last shard.
SweepOutcome execute_sweep(const Sweep& sweep, const RunRequest& request, const std::filesystem::path& folder,
                           std::ostream& out);

/// Runs the sweep; the table of results and the path of the report go to `out`. Returns runs_failed when some run
/// failed, interrupted after a signal.
ExitStatus run_sweep(const RunRequest& request, std::ostream& out);

}  // namespace moe
