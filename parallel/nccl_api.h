#pragma once
// The functions of NCCL that are used, by the types of its C interface, so that a build needs neither its header nor
// its library: the process finds the library when ranks on GPUs meet.

#include <array>
#include <climits>
#include <cstddef>

namespace moe::nccl {

using Result = int;
inline constexpr Result success = 0;
inline constexpr Result in_progress = 7;

struct Comm;  ///< what ncclComm_t points to
using Stream = void*;

struct UniqueId {
  std::array<char, 128> bytes;
};

/// ncclConfig_t as NCCL 2.14 had it, which later ones read too: each knows the size and version of what it is given.
struct Config {
  std::size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = 21400;
  int blocking = 0;
};

using DataType = int;
inline constexpr DataType int8 = 0;  ///< a byte: what travels is not computed with

struct Api {
  Result (*get_unique_id)(UniqueId* id);
  Result (*comm_init_rank_config)(Comm** comm, int ranks, UniqueId id, int rank, Config* config);
  Result (*comm_abort)(Comm* comm);
  Result (*comm_get_async_error)(Comm* comm, Result* error);
  Result (*group_start)();
  Result (*group_end)();
  Result (*send)(const void* data, std::size_t count, DataType type, int peer, Comm* comm, Stream stream);
  Result (*receive)(void* data, std::size_t count, DataType type, int peer, Comm* comm, Stream stream);
  const char* (*get_error_string)(Result result);
};

/// Those of the libnccl.so.2 that the process has or the loader finds: of the wheel, which LibTorch's half for GPUs is
/// linked with. Throws Error (machine_failed) when there is none, or one before 2.14.
Api load();

}  // namespace moe::nccl
