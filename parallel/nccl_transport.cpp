#include "parallel/nccl_transport.h"

#include "core/stopwatch.h"
#include "parallel/device_transport.h"
#include "parallel/share_out.h"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/types.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

namespace moe {
namespace {

constexpr int busy_polls = 2000;  ///< questions without a pause, before a wait begins to sleep

/// What was queued so far on the current stream of a GPU. The host's work is done when it returns.
class QueuedWork {
 public:
  explicit QueuedWork(c10::Device device) {
    if (device.is_cpu()) return;
    event_.emplace(device.type());
    event_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  }
  bool is_done() const { return !event_ || event_->query(); }

 private:
  std::optional<c10::Event> event_;
};

nccl::Stream current_stream(c10::Device device) {
  if (device.is_cpu()) return nullptr;
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

/// Its calls do not block: what goes on is asked for until the deadline, so that a lost rank is noticed.
class NcclTransport : public DeviceTransport {
 public:
  NcclTransport(const nccl::Api& api, const nccl::UniqueId& id, const Communicator& ranks, c10::Device device)
      : api_(api), rank_(ranks.rank()), size_(ranks.size()), device_(device) {
    const Stopwatch waited;
    nccl::Config config;
    const nccl::Result result = api_.comm_init_rank_config(&comm_, size_, id, rank_, &config);
    finish({.name = "the start of NCCL"}, result, waited, ranks.deadline_seconds());
  }
  /// Nothing is under way any more, or nobody will wait for it.
  ~NcclTransport() override {
    if (comm_ != nullptr) api_.comm_abort(comm_);
  }

  c10::Device device() const override { return device_; }

  void all_to_all(const LedgerEntry& call, const std::vector<at::Tensor>& send, const std::vector<at::Tensor>& receive,
                  double deadline_seconds) override {
    const Stopwatch waited;
    const auto me = static_cast<std::size_t>(rank_);
    nccl::Stream const stream = current_stream(device_);
    check(call, api_.group_start());
    nccl::Result failed = nccl::success;  // a group is closed whatever happens in it
    const auto note = [&](nccl::Result result) {
      if (failed == nccl::success && result != nccl::in_progress) failed = result;
    };
    for (int peer = 0; peer < size_; ++peer) {
      const at::Tensor &to = send[static_cast<std::size_t>(peer)], &from = receive[static_cast<std::size_t>(peer)];
      if (peer == rank_) continue;
      // Both sides know the length: where there is none, neither calls.
      if (from.numel() > 0) {
        note(api_.receive(from.mutable_data_ptr(), from.nbytes(), nccl::int8, peer, comm_, stream));
      }
      if (to.numel() > 0) note(api_.send(to.const_data_ptr(), to.nbytes(), nccl::int8, peer, comm_, stream));
    }
    const nccl::Result result = api_.group_end();
    check(call, failed);
    if (receive[me].numel() > 0) receive[me].copy_(send[me], /*non_blocking=*/true);
    finish(call, result, waited, deadline_seconds);
  }

 private:
  /// Waits until NCCL has taken the calls and the GPU has done what they queued.
  void finish(const LedgerEntry& call, nccl::Result result, const Stopwatch& waited, double deadline_seconds) {
    std::optional<QueuedWork> work;
    for (int asked = 0;; ++asked) {
      if (result != nccl::in_progress) check(call, result);
      if (result == nccl::success && !work) work.emplace(device_);
      if (work && work->is_done()) return;
      if (waited.seconds() > deadline_seconds) {
        throw CollectiveError(waiting_sentence(rank_, call, deadline_seconds, {}));
      }
      if (asked < busy_polls) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
      check(call, api_.comm_get_async_error(comm_, &result));
    }
  }

  void check(const LedgerEntry& call, nccl::Result result) const {
    if (result == nccl::success || result == nccl::in_progress) return;
    throw CollectiveError(fmt::format("Rank {}: NCCL, in {}: {}.", rank_, call.text(), api_.get_error_string(result)));
  }

  nccl::Api api_;
  int rank_, size_;
  c10::Device device_;
  nccl::Comm* comm_ = nullptr;
};

}  // namespace

void use_nccl(Communicator& ranks, c10::Device device, const std::function<nccl::Api()>& load) {
  nccl::Api api{};
  const std::vector<std::string> told = meet(ranks, "unique id of NCCL", [&] {
    api = load();
    if (!ranks.is_first()) return std::string();
    nccl::UniqueId id{};
    if (const nccl::Result result = api.get_unique_id(&id); result != nccl::success) {
      throw Error(fmt::format("NCCL does not start: {}.", api.get_error_string(result)), ExitStatus::machine_failed);
    }
    return std::string(id.bytes.data(), id.bytes.size());
  });
  nccl::UniqueId id{};
  std::memcpy(id.bytes.data(), told.front().data(), id.bytes.size());
  ranks.set_device_transport(std::make_unique<NcclTransport>(api, id, ranks, device));
  // Two ranks are connected by the first exchange between them.
  const at::Tensor mine = at::ones({1}, at::TensorOptions(at::kFloat).device(device));
  std::vector<at::Tensor> all;
  for (int rank = 0; rank < ranks.size(); ++rank) all.push_back(at::empty_like(mine));
  ranks.all_gather("connections of NCCL", mine, all);
}

}  // namespace moe
