#include "parallel/share_out.h"

#include "parallel/thread_communicator.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>

namespace moe {
namespace {

constexpr double patient = 60;  ///< seconds

}  // namespace

TEST_CASE("shares are contiguous, cover all items, and differ by one at most") {
  for (std::int64_t count = 0; count <= 9; ++count) {
    for (int ranks = 1; ranks <= 5; ++ranks) {
      std::int64_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Share share = share_of(count, rank, ranks);
        CHECK(share.first == next);
        CHECK(std::abs(static_cast<double>(share.count()) - static_cast<double>(count) / ranks) < 1);
        next = share.last;
      }
      CHECK(next == count);
    }
  }
}

TEST_CASE("every rank has the results of all items in order, each computed once, to the last bit") {
  for (const int size : {1, 2, 3, 8}) {
    std::mutex mutex;
    std::vector<int> computed(5, 0);
    run_on_threads(size, patient, [&](Communicator& ranks) {
      const auto results = share_out<double>(ranks, "items", 5, [&](std::int64_t i) {
        const std::scoped_lock lock(mutex);
        ++computed[static_cast<std::size_t>(i)];
        return i == 4 ? std::numeric_limits<double>::infinity() : i == 3 ? -0.0 : 1.0 / static_cast<double>(i + 3);
      });
      if (results.size() != 5 || results[1] != 1.0 / 4 || results[2] != 1.0 / 5 || !std::signbit(results[3]) ||
          !std::isinf(results[4])) {
        throw std::runtime_error("wrong results");
      }
    });
    CHECK(computed == std::vector<int>(5, 1));
  }
}

TEST_CASE("what one rank's work throws is thrown on all, with its status") {
  std::mutex mutex;
  std::vector<std::string> sentences;
  run_on_threads(3, patient, [&](Communicator& ranks) {
    try {
      share_out<int>(ranks, "items", 3, [&](std::int64_t i) -> int {
        if (i == 1) throw Error("The loss is not a number.", ExitStatus::runs_failed);
        return 0;
      });
    } catch (const Error& error) {
      const std::scoped_lock lock(mutex);
      sentences.push_back(fmt::format("{} {}", error.what(), static_cast<int>(error.status())));
    }
  });
  CHECK(sentences == std::vector<std::string>(3, "Rank 1: The loss is not a number. 1"));
}

TEST_CASE("a process that is alone throws what its work throws") {
  CHECK_THROWS_AS(share_out<int>(one_rank(), "items", 1, [](std::int64_t) -> int { throw std::bad_alloc(); }),
                  std::bad_alloc);
}

TEST_CASE("work of the first rank alone is done once, and its failure is everybody's") {
  std::mutex mutex;
  int done = 0, failed = 0;
  run_on_threads(3, patient, [&](Communicator& ranks) {
    on_first_rank(ranks, "files", [&] { ++done; });
    const std::string sentence = error_of([&] { on_first_rank(ranks, "files", [] { throw Error("No disk."); }); });
    const std::scoped_lock lock(mutex);
    failed += sentence == "Rank 0: No disk." ? 1 : 0;
  });
  CHECK(done == 1);
  CHECK(failed == 3);
}

TEST_CASE("one rank's yes is everybody's") {
  run_on_threads(3, patient, [](Communicator& ranks) {
    if (!any_rank(ranks, "stop", ranks.rank() == 2) || any_rank(ranks, "stop", false))
      throw std::runtime_error("wrong");
  });
}

}  // namespace moe
