#include "parallel/nccl_api.h"

#include "core/error.h"

#include <dlfcn.h>

#include <string>

namespace moe::nccl {
namespace {

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) {
    throw Error(fmt::format("Ranks on GPUs need NCCL 2.14 or later; the libnccl.so.2 here has no {}.", name),
                ExitStatus::machine_failed);
  }
}

}  // namespace

Api load() {
  void* const library = dlopen("libnccl.so.2", RTLD_NOW);
  if (library == nullptr) {
    throw Error("Ranks on GPUs need NCCL, and the loader finds no libnccl.so.2; tools/setup --cuda fetches it.",
                ExitStatus::machine_failed);
  }
  Api api{};
  find(library, "ncclGetUniqueId", api.get_unique_id);
  find(library, "ncclCommInitRankConfig", api.comm_init_rank_config);
  find(library, "ncclCommAbort", api.comm_abort);
  find(library, "ncclCommGetAsyncError", api.comm_get_async_error);
  find(library, "ncclGroupStart", api.group_start);
  find(library, "ncclGroupEnd", api.group_end);
  find(library, "ncclSend", api.send);
  find(library, "ncclRecv", api.receive);
  find(library, "ncclGetErrorString", api.get_error_string);
  return api;
}

}  // namespace moe::nccl
