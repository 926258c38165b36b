#include "parallel/thread_communicator.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace moe {
namespace {

/// What one rank shows the others.
struct Desk {
  std::int64_t entered = 0;  ///< calls that the rank has entered
  std::int64_t left = 0;     ///< calls whose data it no longer reads
  LedgerEntry call;          ///< the last that it entered
  const std::vector<ConstBytes>* send = nullptr;
};

/// What the threads share.
struct Room {
  explicit Room(int ranks, double deadline) : desks(static_cast<std::size_t>(ranks)), deadline_seconds(deadline) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Desk> desks;
  double deadline_seconds;
  std::string failure;  ///< sentence of the rank that failed first; empty: none
  std::exception_ptr first_error;

  void fail(const std::string& sentence, const std::exception_ptr& error) {
    const std::scoped_lock lock(mutex);
    if (first_error) return;
    if (failure.empty()) failure = sentence;
    first_error = error;
    changed.notify_all();
  }
};

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(Room& room, int rank)
      : Communicator(rank, static_cast<int>(room.desks.size()), room.deadline_seconds), room_(room) {}

  [[noreturn]] void abort(const std::string& sentence, ExitStatus status) override { throw Error(sentence, status); }

 protected:
  void exchange(const LedgerEntry& call, const std::vector<ConstBytes>& send,
                const std::vector<Bytes>& receive) override {
    std::unique_lock lock(room_.mutex);
    const auto me = static_cast<std::size_t>(rank());
    Desk& mine = room_.desks[me];
    mine.call = call;
    mine.send = &send;
    ++mine.entered;
    room_.changed.notify_all();
    wait(lock, call, [&](const Desk& desk) { return desk.entered >= mine.entered; });
    for (std::size_t r = 0; r < receive.size(); ++r) {
      const Desk& desk = room_.desks[r];
      const ConstBytes data = (*desk.send)[me];
      if (desk.call.name != call.name || data.size() != receive[r].size()) {
        leave(fmt::format("Rank {} is in {} for {} bytes, and rank {} in {} with {}.", rank(), call.text(),
                          receive[r].size(), r, desk.call.text(), data.size()));
      }
      std::copy(data.begin(), data.end(), receive[r].begin());
    }
    ++mine.left;
    room_.changed.notify_all();
    wait(lock, call, [&](const Desk& desk) { return desk.left >= mine.entered; });
  }

 private:
  /// With the lock held: nobody may read what this rank shows once it has left.
  [[noreturn]] void leave(const std::string& sentence) {
    if (room_.failure.empty()) room_.failure = sentence;
    room_.changed.notify_all();
    throw CollectiveError(sentence);
  }

  template <class Ready>
  void wait(std::unique_lock<std::mutex>& lock, const LedgerEntry& call, Ready ready) {
    const auto all_ready = [&] { return std::all_of(room_.desks.begin(), room_.desks.end(), ready); };
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(std::min(deadline_seconds(), 1e6));
    const bool came = room_.changed.wait_until(lock, until, [&] { return !room_.failure.empty() || all_ready(); });
    if (!room_.failure.empty()) throw CollectiveError(room_.failure);
    if (came) return;
    std::vector<RankSight> others;
    for (const Desk& desk : room_.desks) {
      others.push_back({ready(desk) ? std::optional(desk.call) : std::nullopt, desk.call});
    }
    leave(waiting_sentence(rank(), call, deadline_seconds(), others));
  }

  Room& room_;
};

std::string sentence_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  }
}

}  // namespace

void run_on_threads(int ranks, double deadline_seconds, const std::function<void(Communicator&)>& work) {
  Room room(ranks, deadline_seconds);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ThreadCommunicator communicator(room, rank);
        work(communicator);
      } catch (...) {
        const std::exception_ptr error = std::current_exception();
        room.fail(fmt::format("Rank {}: {}", rank, sentence_of(error)), error);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (room.first_error) std::rethrow_exception(room.first_error);
}

}  // namespace moe
