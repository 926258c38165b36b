#pragma once
// The job that this process is a part of: alone, or one of several ranks that mpirun or srun started.

#include "parallel/communicator.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace moe {

/// How many ranks the launcher of this process says that it started; 1 without a launcher.
int launched_ranks();

/// The number of this process among those that the launcher started on this machine, where it says so.
std::optional<int> launched_local_rank();

/// "Open MPI v4.1.4, ..." as the library of this build says; empty in a build without MPI.
std::string mpi_library();

/// Joins the other ranks for as long as the object lives: one in a process, made and destroyed on its main thread.
class ProcessGroup {
 public:
  /// `is_interrupted` tells that this process was asked to stop: a rank that then waits for others says where. Throws
  /// Error (machine_failed) when there are several ranks and this build has no MPI.
  explicit ProcessGroup(std::function<bool()> is_interrupted);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  Communicator& ranks() { return ranks_ ? *ranks_ : one_rank(); }

 private:
  std::unique_ptr<Communicator> ranks_;  ///< none: this process is alone
};

}  // namespace moe
