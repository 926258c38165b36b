#pragma once
// A sweep as jobs of Slurm: the texts of the scripts, and of the page that says how to submit them.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// A sweep as an array job, one task a shard, and a job for the report. All paths are absolute.
struct SweepJob {
  std::string name;                      ///< of the sweep
  std::filesystem::path program;         ///< moe-bench
  std::filesystem::path sweep;           ///< the file
  std::filesystem::path results;         ///< --out of the runs
  std::filesystem::path working_folder;  ///< where relative paths in the sweep start
  std::vector<std::string> settings;     ///< key.path=value of --set
  std::int64_t shards = 0;               ///< tasks of the array, at least 1
  std::int64_t at_once = 0;              ///< most tasks that run side by side; 0: as many as there is room for
  std::string time;                      ///< limit of each job as Slurm writes it; empty: the partition's
  std::int64_t cpus_per_task = 1;        ///< `threads` for each run of a task: one on each GPU, or as many as fit
  std::int64_t gpus_per_task = 0;        ///< 0: runs compute on the CPU; else as many runs side by side
  std::int64_t threads = 1;              ///< of each run
  std::string memory;                    ///< of each job, as --mem of sbatch; empty: the partition's
  std::string partition;                 ///< empty: the default one
  std::string account;                   ///< empty: the user's

  /// Where scripts and logs go.
  std::filesystem::path folder() const { return results / "slurm"; }
  std::filesystem::path array_script() const { return folder() / "array.sh"; }
  std::filesystem::path report_script() const { return folder() / "report.sh"; }
};

/// Seconds before the limit at which Slurm tells a task to write down what it has. Slurm may be a minute early.
inline constexpr std::int64_t seconds_before_limit = 300;

/// Throws Error, naming the option of the command line, for numbers that do not fit together, a time that is none or
/// too short to get anywhere between start and signal, and texts that a script cannot hold. `most_indices`:
/// MaxArraySize of the cluster, which is one more than the largest index of an array.
void check_job(const SweepJob& job, std::int64_t most_indices);

/// The array: each task runs its shard. Five minutes before the limit it tells the runs to write their checkpoints, and
/// puts itself, and no other task, back into the queue.
std::string array_script(const SweepJob& job);

/// The report of what there is then. It is meant to be submitted with a dependency on the end of the array.
std::string report_script(const SweepJob& job);

/// README.md of the folder.
std::string submission_page(const SweepJob& job);

}  // namespace moe
