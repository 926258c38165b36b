#include "harness/run/gpu/rank_gpu.h"

#include "core/error.h"
#include "core/host_name.h"
#include "harness/run/device.h"
#include "parallel/nccl_transport.h"
#include "parallel/process_group.h"
#include "parallel/share_out.h"

#include <cstdlib>
#include <limits>
#include <map>
#include <vector>

namespace moe {
namespace {

constexpr const char* visible_devices = "CUDA_VISIBLE_DEVICES";

}  // namespace

std::string gpu_of_rank(const DeviceChoice& choice, int local_rank, const std::optional<std::string>& variable) {
  const auto rank = static_cast<std::size_t>(local_rank);
  const auto check_has = [&](std::size_t number, std::size_t count, const char* who) {
    if (number < count) return;
    throw Error(fmt::format("--device: the ranks of a machine have a GPU each; rank {} finds none, {} names {}.",
                            local_rank, who, count),
                ExitStatus::machine_failed);
  };
  std::size_t number = rank;
  if (!choice.numbers.empty()) {
    check_has(rank, choice.numbers.size(), "the option");
    number = static_cast<std::size_t>(choice.numbers[rank]);
  }
  if (!variable) return std::to_string(number);
  const std::vector<std::string> visible = visible_names(std::numeric_limits<int>::max(), variable);
  if (visible.size() == 1 && choice.numbers.empty()) return visible.front();
  check_has(number, visible.size(), visible_devices);
  return visible[number];
}

RankGpu::RankGpu(const DeviceChoice& choice) {
  if (!choice.gpu || launched_ranks() == 1) return;
  try {
    const char* const value = std::getenv(visible_devices);
    const std::optional<int> local_rank = launched_local_rank();
    if (!local_rank) {
      throw Error("--device: the launcher does not tell a rank its number on its machine, and so not its GPU.",
                  ExitStatus::machine_failed);
    }
    visible_ = gpu_of_rank(choice, *local_rank, value == nullptr ? std::nullopt : std::optional<std::string>(value));
    setenv(visible_devices, visible_.c_str(), /*replace=*/1);
  } catch (const Error&) {
    failure_ = std::current_exception();
  }
}

void RankGpu::meet(Communicator& ranks) const {
  const std::vector<std::string> gpus = moe::meet(ranks, "GPU of each rank", [&] {
    if (failure_) std::rethrow_exception(failure_);
    require_gpu("cuda");
    return fmt::format("GPU {} of {}", visible_, host_name());
  });
  std::map<std::string, std::size_t> rank_of;
  for (std::size_t rank = 0; rank < gpus.size(); ++rank) {
    const auto [other, is_new] = rank_of.emplace(gpus[rank], rank);
    if (is_new) continue;
    throw Error(
        fmt::format("--device: ranks {} and {} have one {}; each needs its own.", other->second, rank, gpus[rank]),
        ExitStatus::machine_failed);
  }
  try {
    use_nccl(ranks, c10::Device(c10::kCUDA, 0));
  } catch (const CollectiveError& error) {
    ranks.abort(error.what(), error.status());  // the others cannot be told otherwise
  }
}

}  // namespace moe
