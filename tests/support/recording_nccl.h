#pragma once
// NCCL without a GPU: ranks are threads, a device is the host's memory, every call is noted, and bytes travel as the
// calls say.

#include "parallel/nccl_api.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace moe {

/// What a rank's nccl::Comm* points to here.
struct RecordedRank {
  enum class Kind { start_group, send, receive, end_group };
  struct Call {
    Kind kind;
    int peer = -1;
    std::size_t bytes = 0;
    bool operator==(const Call&) const = default;
  };
  struct Receive {
    void* data;
    std::size_t bytes;
    int peer;
  };

  int number = 0;
  std::vector<Call> calls;       ///< in their order
  std::vector<Receive> awaited;  ///< whose bytes have not come yet
  bool in_group = false;
  bool aborted = false;
};

/// One at a time: NCCL's functions have no other way to find it.
class RecordingNccl {
 public:
  static constexpr nccl::Result invalid_usage = 5, remote_error = 6;

  explicit RecordingNccl(int ranks) : ranks_(static_cast<std::size_t>(ranks)) { current = this; }
  RecordingNccl(const RecordingNccl&) = delete;
  RecordingNccl& operator=(const RecordingNccl&) = delete;
  ~RecordingNccl() { current = nullptr; }

  static nccl::Api api() {
    return {.get_unique_id = [](nccl::UniqueId* id) { return current->get_unique_id(*id); },
            .comm_init_rank_config = [](nccl::Comm** comm, int size, nccl::UniqueId id, int rank,
                                        nccl::Config* config) { return current->init(comm, size, id, rank, *config); },
            .comm_abort = [](nccl::Comm* comm) { return current->abort(rank_of(comm)); },
            .comm_get_async_error = [](nccl::Comm* comm,
                                       nccl::Result* error) { return current->advance(rank_of(comm), *error); },
            .group_start = [] { return current->start_group(); },
            .group_end = [] { return current->end_group(); },
            .send = [](const void* data, std::size_t count, nccl::DataType type, int peer, nccl::Comm* comm,
                       nccl::Stream) { return current->send(rank_of(comm), data, count, type, peer); },
            .receive = [](void* data, std::size_t count, nccl::DataType type, int peer, nccl::Comm* comm,
                          nccl::Stream) { return current->receive(rank_of(comm), data, count, type, peer); },
            .get_error_string = [](nccl::Result result) -> const char* {
              return result == invalid_usage ? "invalid usage" : "remote process exited or there was a network error";
            }};
  }

  const RecordedRank& rank(int number) const { return ranks_[static_cast<std::size_t>(number)]; }

  /// From now on the rank's communicator is broken.
  void break_rank(int number, nccl::Result error) {
    const std::scoped_lock lock(mutex_);
    broken_[number] = error;
  }

  /// The rank gets no communicator.
  void refuse(int number) { refused_ = number; }

  /// From now on no rank may send.
  void refuse_sends() { refuses_sends_ = true; }

  /// What does not fit together in the calls of all ranks: as many groups on each, nothing empty or to itself, and the
  /// k-th message from one rank to another as long as the k-th that the other awaits. Empty: nothing.
  std::string mismatch() const {
    const auto lengths = [](const RecordedRank& rank, RecordedRank::Kind kind, int peer) {
      std::vector<std::size_t> found;
      for (const auto& call : rank.calls) {
        if (call.kind == kind && call.peer == peer) found.push_back(call.bytes);
      }
      return found;
    };
    const auto groups = [](const RecordedRank& rank) {
      return std::count(rank.calls.begin(), rank.calls.end(), RecordedRank::Call{RecordedRank::Kind::end_group});
    };
    for (int from = 0; from < size(); ++from) {
      if (groups(rank(from)) != groups(rank(0))) return "Rank " + std::to_string(from) + " has other groups.";
      for (int to = 0; to < size(); ++to) {
        const auto sent = lengths(rank(from), RecordedRank::Kind::send, to);
        const std::string pair = "From " + std::to_string(from) + " to " + std::to_string(to);
        if (sent != lengths(rank(to), RecordedRank::Kind::receive, from)) return pair + ": other lengths.";
        if (from == to && !sent.empty()) return pair + ": itself.";
        if (std::count(sent.begin(), sent.end(), 0) > 0) return pair + ": an empty message.";
      }
    }
    return "";
  }

 private:
  static inline RecordingNccl* current = nullptr;
  /// Of this thread, which groups are of.
  static inline thread_local RecordedRank* mine = nullptr;

  static RecordedRank& rank_of(nccl::Comm* comm) { return *reinterpret_cast<RecordedRank*>(comm); }
  int size() const { return static_cast<int>(ranks_.size()); }

  static nccl::Result get_unique_id(nccl::UniqueId& id) {
    id.bytes.fill('u');
    return nccl::success;
  }

  nccl::Result init(nccl::Comm** comm, int ranks, const nccl::UniqueId& id, int number, const nccl::Config& config) {
    const std::scoped_lock lock(mutex_);
    if (ranks != size() || id.bytes.front() != 'u' || id.bytes.back() != 'u' || config.blocking != 0 ||
        config.size != sizeof(nccl::Config) || config.magic != 0xcafebeef || config.version != 21400)
      return invalid_usage;
    if (refused_ == number) return remote_error;
    RecordedRank& rank = ranks_[static_cast<std::size_t>(number)];
    rank.number = number;
    ++initialised_;
    mine = &rank;
    *comm = reinterpret_cast<nccl::Comm*>(&rank);
    return nccl::in_progress;
  }

  nccl::Result abort(RecordedRank& rank) {
    const std::scoped_lock lock(mutex_);
    rank.aborted = true;
    rank.awaited.clear();
    return nccl::success;
  }

  nccl::Result start_group() {
    const std::scoped_lock lock(mutex_);
    if (mine->in_group) return invalid_usage;
    mine->in_group = true;
    mine->calls.push_back({RecordedRank::Kind::start_group});
    return nccl::success;
  }

  nccl::Result end_group() {
    const std::scoped_lock lock(mutex_);
    if (!mine->in_group) return invalid_usage;
    mine->in_group = false;
    mine->calls.push_back({RecordedRank::Kind::end_group});
    return nccl::in_progress;
  }

  nccl::Result send(RecordedRank& rank, const void* data, std::size_t count, nccl::DataType type, int peer) {
    const std::scoped_lock lock(mutex_);
    if (!rank.in_group || type != nccl::int8 || peer < 0 || peer >= size() || refuses_sends_) return invalid_usage;
    rank.calls.push_back({RecordedRank::Kind::send, peer, count});
    const auto* const bytes = static_cast<const char*>(data);
    travelling_[{rank.number, peer}].emplace_back(bytes, bytes + count);
    return nccl::success;
  }

  nccl::Result receive(RecordedRank& rank, void* data, std::size_t count, nccl::DataType type, int peer) {
    const std::scoped_lock lock(mutex_);
    if (!rank.in_group || type != nccl::int8 || peer < 0 || peer >= size()) return invalid_usage;
    rank.calls.push_back({RecordedRank::Kind::receive, peer, count});
    rank.awaited.push_back({data, count, peer});
    return nccl::success;
  }

  /// What is under way goes on while it is asked for.
  nccl::Result advance(RecordedRank& rank, nccl::Result& error) {
    const std::scoped_lock lock(mutex_);
    error = nccl::success;
    if (const auto broken = broken_.find(rank.number); broken != broken_.end()) error = broken->second;
    std::erase_if(rank.awaited, [&](const RecordedRank::Receive& receive) {
      auto& messages = travelling_[{receive.peer, rank.number}];
      if (messages.empty()) return false;
      if (messages.front().size() != receive.bytes) error = invalid_usage;
      std::memcpy(receive.data, messages.front().data(), std::min(messages.front().size(), receive.bytes));
      messages.pop_front();
      return true;
    });
    if (error == nccl::success && (initialised_ < size() || !rank.awaited.empty())) error = nccl::in_progress;
    return nccl::success;
  }

  std::mutex mutex_;
  std::vector<RecordedRank> ranks_;
  int initialised_ = 0;
  int refused_ = -1;
  bool refuses_sends_ = false;
  std::map<int, nccl::Result> broken_;
  std::map<std::pair<int, int>, std::deque<std::vector<char>>> travelling_;  ///< (from, to)
};

}  // namespace moe
