#pragma once
// Communication libraries that are there when a program runs.

#include <string>

namespace moe {

/// A library or its launcher as `doctor` tells of it.
struct LibraryFacts {
  std::string version{};  ///< empty: see `absent`
  std::string absent{};   ///< why there is none
};

/// "2.27.3" of the number that ncclGetVersion gives; before 2.9 its parts had two digits less.
std::string nccl_version_text(int version);

/// The NCCL that the loader finds, wherever it stands.
LibraryFacts find_nccl();

/// The launcher of MPI, by the first line of `mpirun --version`.
LibraryFacts find_mpi_launcher();

}  // namespace moe
