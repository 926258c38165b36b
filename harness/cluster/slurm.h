#pragma once
// The Slurm that this machine belongs to, through its commands.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace moe {

/// What Slurm's default is, and what is assumed where there is no cluster to ask.
inline constexpr std::int64_t default_max_array_size = 1001;

/// MaxArraySize, one more than the largest index of an array: as `scontrol show config` prints it.
std::optional<std::int64_t> max_array_size_in(const std::string& configuration);

/// The same of the cluster; nothing where it cannot be asked.
std::optional<std::int64_t> max_array_size();

/// Submits a script; with `after`, it waits until that job has ended, however it ends. Returns the number of the job.
/// Throws Error (machine_failed) with what sbatch says.
std::string submit_job(const std::filesystem::path& script, const std::string& after = "");

/// The number of a job in what `sbatch --parsable` prints: "12", or "12;cluster".
std::string job_number_in(const std::string& parsable);

/// Whether `srun --mpi=list` names the plug-in that starts programs of Open MPI.
bool lists_pmix(const std::string& plugins);

/// What `doctor` says.
struct SlurmFacts {
  std::string version{};  ///< "slurm-wlm 22.05.8"; empty: see `absent`
  bool pmix = false;      ///< `srun --mpi=pmix` works
  std::string absent{};   ///< why there is no version
};

SlurmFacts find_slurm();

}  // namespace moe
