#include "harness/cluster/libraries.h"

#include "core/text.h"
#include "harness/process/command.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace moe {

std::string nccl_version_text(int version) {
  const int thousand = version < 10000 ? 1000 : 10000;  // of 2.8.4: 2804, of 2.27.3: 22703
  return fmt::format("{}.{}.{}", version / thousand, version % thousand / 100, version % 100);
}

LibraryFacts find_nccl() {
  void* const library = dlopen("libnccl.so.2", RTLD_LAZY);
  if (library == nullptr) return {.absent = "the loader finds no libnccl.so.2"};
  using Ask = int (*)(int* version);
  const auto ask = reinterpret_cast<Ask>(dlsym(library, "ncclGetVersion"));
  int version = 0;
  if (ask == nullptr || ask(&version) != 0) return {.absent = "a libnccl.so.2 that does not tell its version"};
  return {.version = nccl_version_text(version)};
}

LibraryFacts find_mpi_launcher() {
  const CommandResult answer = run_command({"mpirun", "--version"});
  if (answer.status == 127) return {.absent = "no mpirun"};
  if (answer.status != 0) return {.absent = "an mpirun that does not work: " + last_line(answer.errors)};
  return {.version = split(answer.output, '\n').front()};
}

}  // namespace moe
