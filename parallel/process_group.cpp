#include "parallel/process_group.h"

#ifdef MOE_BENCH_MPI
#include "parallel/mpi_communicator.h"
#endif

#include <algorithm>
#include <cstdlib>

namespace moe {
namespace {

/// The variable's number; 0 where there is none.
int number_in_environment(const char* variable) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? 0 : static_cast<int>(std::strtol(text, nullptr, 10));
}

}  // namespace

int launched_ranks() {
  if (const int ranks = number_in_environment("OMPI_COMM_WORLD_SIZE"); ranks > 0) return ranks;
  if (const int ranks = number_in_environment("PMI_SIZE"); ranks > 0) return ranks;
  // srun --mpi=pmix; without that plug-in its tasks know nothing of each other.
  const bool has_pmix = std::getenv("PMIX_RANK") != nullptr;
  return has_pmix ? std::max(number_in_environment("SLURM_STEP_NUM_TASKS"), 1) : 1;
}

std::optional<int> launched_local_rank() {
  for (const char* const variable : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}) {
    if (std::getenv(variable) != nullptr) return number_in_environment(variable);
  }
  return std::nullopt;
}

#ifdef MOE_BENCH_MPI

std::string mpi_library() {
  return mpi_library_version();
}

ProcessGroup::ProcessGroup(std::function<bool()> is_interrupted) {
  const int launched = launched_ranks();
  if (launched == 1) return;
  ranks_ = std::make_unique<MpiCommunicator>(std::move(is_interrupted));
  if (ranks_->size() == launched) return;
  throw Error(fmt::format("A launcher started {} ranks, but {} sees {} of them; start them by its own mpirun, or by "
                          "srun --mpi=pmix.",
                          launched, mpi_library(), ranks_->size()),
              ExitStatus::machine_failed);
}

#else

std::string mpi_library() {
  return "";
}

ProcessGroup::ProcessGroup(std::function<bool()> /*is_interrupted*/) {
  if (launched_ranks() == 1) return;
  throw Error(fmt::format("A launcher started {} ranks, and this build has no MPI; install libopenmpi-dev and build "
                          "again, or start one process.",
                          launched_ranks()),
              ExitStatus::machine_failed);
}

#endif

ProcessGroup::~ProcessGroup() = default;

}  // namespace moe
