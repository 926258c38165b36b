#pragma once
// `moe-bench doctor`: what this machine and this build can do.

#include "core/json.h"

#include <iosfwd>

namespace moe {

/// Looks and measures; takes a second or two. Keys: `cores` (that this process can use), `machine_cores` (all of them),
/// `threads` (of LibTorch), `memory_bytes`, `processor`, `vector_extensions` {name: bool}, `libtorch` (version), `bf16`
/// (a matrix product in it works), `products_by` {"fp32", "bf16"} (whose kernels compute what), `matrix_product`
/// {"fp32", "bf16"} in GFLOP/s (bf16 null where it does not work), `memory_bandwidth` in GB/s, `gpu` {"built" (with
/// CUDA), "devices", "name"}, `gpu_driver` {"version", "absent", "gpus": [{"name", "memory_bytes",
/// "compute_capability"}]}, `slurm` {"version", "absent", "pmix" (srun starts programs of Open MPI)}, `mpi_launcher`
/// and `nccl` {"version", "absent"} (that a program finds when it runs), `mpi` (the library that this build was made
/// with; empty: none), `charts` (null: can be drawn; else why not). Of `version` and `absent` (why there is none) one
/// is null.
Json examine_machine();

/// Writes what examine_machine() found, as a table or as JSON.
void run_doctor(bool json, std::ostream& out);

}  // namespace moe
