#pragma once
// The ranks that share a run, and the collectives in which they meet.

#include "core/error.h"
#include "parallel/ledger.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace at {
class Tensor;
}

namespace moe {

class DeviceTransport;

using ConstBytes = std::span<const std::byte>;
using Bytes = std::span<std::byte>;

constexpr double default_deadline_seconds = 600;

/// A collective that did not come about. The ranks cannot meet again, not even to tell each other of it.
class CollectiveError : public Error {
 public:
  explicit CollectiveError(const std::string& sentence) : Error(sentence, ExitStatus::machine_failed) {}
};

/// Ranks 0 to size - 1 of one job. All of them call the same collectives in the same order; a call returns when this
/// rank has what the others sent. A rank that waits longer than the deadline throws CollectiveError with what it knows
/// of the others. One thread of a rank at a time, not always the same.
class Communicator {
 public:
  Communicator(int rank, int size, double deadline_seconds);
  virtual ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_first() const { return rank_ == 0; }
  double deadline_seconds() const { return deadline_seconds_; }
  void set_deadline(double seconds) { deadline_seconds_ = seconds; }

  /// Sends send[r] to each rank r and fills receive[r] with what rank r sends here, of just that length.
  void all_to_all(const std::string& name, const std::vector<ConstBytes>& send, const std::vector<Bytes>& receive);

  /// Fills all[r] with what rank r gives as `mine`, of just that length.
  void all_gather(const std::string& name, ConstBytes mine, const std::vector<Bytes>& all);

  /// The same of contiguous tensors, all of one device and some perhaps without elements. Those of the device that a
  /// transport was set for go through it, others through the host's memory.
  void all_to_all(const std::string& name, const std::vector<at::Tensor>& send, const std::vector<at::Tensor>& receive);
  void all_gather(const std::string& name, const at::Tensor& mine, const std::vector<at::Tensor>& all);
  /// On all ranks or on none.
  void set_device_transport(std::unique_ptr<DeviceTransport> transport);

  /// What each rank gives, by rank. Throws CollectiveError when ranks have met in different calls.
  std::vector<std::string> all_gather(const std::string& name, const std::string& mine);

  /// What a rank does when its part of some shared work is done and before it meets the others for their results:
  /// whatever they may still need of it. None by default.
  void before_meeting(std::function<void()> work) { before_meeting_ = std::move(work); }
  void prepare_meeting() {
    if (before_meeting_) before_meeting_();
  }

  /// Ends the job on all ranks, for a failure that the others do not know of.
  [[noreturn]] virtual void abort(const std::string& sentence, ExitStatus status) = 0;

  /// Updates of the run's training so far, for what is said of a rank that waits in vain.
  void set_update(std::int64_t update) { ledger_.set_update(update); }
  /// The layer that the next collectives are for; empty: none. Ranks may be in different ones.
  void set_layer(const std::string& layer) { ledger_.set_layer(layer); }

 protected:
  virtual void exchange(const LedgerEntry& call, const std::vector<ConstBytes>& send,
                        const std::vector<Bytes>& receive) = 0;
  /// All ranks are known to have entered this call.
  virtual void saw_all(const LedgerEntry& /*call*/) {}

 private:
  void gather(const LedgerEntry& call, ConstBytes mine, const std::vector<Bytes>& all);

  int rank_, size_;
  double deadline_seconds_;
  std::unique_ptr<DeviceTransport> transport_;  ///< none: tensors go through the host's memory
  std::function<void()> before_meeting_;
  Ledger ledger_;
};

/// The communicator of a process that works alone: its collectives have nobody to wait for.
Communicator& one_rank();

}  // namespace moe
