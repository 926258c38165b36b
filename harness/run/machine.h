#pragma once
// Facts about the machine, the process and the build that belong beside every measurement.

#include "core/json.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// Value of the first line `key : value` of /proc/cpuinfo with one of the keys; empty where there is none.
std::string processor_fact(const std::vector<std::string>& keys);

/// LibTorch takes no more threads than there are cores that the process can use: of a CPU quota it knows nothing. A
/// number that OMP_NUM_THREADS or MKL_NUM_THREADS asks for stays.
void limit_threads();

/// Processor, cores that the process can use, threads in use, device, and the name of the GPU unless that is empty.
Json host_facts(const std::string& device, const std::string& gpu);

/// Versions of the program, its source revision, LibTorch and the compiler.
Json software_facts();

/// Largest resident memory of this process so far.
std::int64_t peak_memory_bytes();

/// Now, as "2026-11-24T21:00:00Z".
std::string utc_now();

}  // namespace moe
