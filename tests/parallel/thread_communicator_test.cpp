#include "parallel/thread_communicator.h"

#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace moe {
namespace {

constexpr double patience = 60;  ///< seconds; nobody should wait so long

template <class Value>
ConstBytes bytes_of(const std::vector<Value>& values) {
  return std::as_bytes(std::span(values));
}

template <class Value>
Bytes room_in(std::vector<Value>& values) {
  return std::as_writable_bytes(std::span(values));
}

}  // namespace

TEST_CASE("every rank gets what every other sends it") {
  run_on_threads(4, patience, [](Communicator& ranks) {
    // Rank s sends r + s numbers to rank r, none where both are 0.
    std::vector<std::vector<std::int64_t>> send(4), receive(4);
    std::vector<ConstBytes> out;
    std::vector<Bytes> in;
    const auto own = static_cast<std::size_t>(ranks.rank());
    for (std::size_t r = 0; r < 4; ++r) {
      send[r].assign(r + own, static_cast<std::int64_t>(10 * own + r));
      receive[r].resize(r + own);
      out.push_back(bytes_of(send[r]));
      in.push_back(room_in(receive[r]));
    }
    for (int repeat = 0; repeat < 100; ++repeat) ranks.all_to_all("numbers", out, in);
    for (int r = 0; r < 4; ++r) {
      for (const std::int64_t number : receive[static_cast<std::size_t>(r)]) {
        if (number != 10 * r + ranks.rank()) throw std::runtime_error("a wrong number");
      }
    }
  });
}

TEST_CASE("texts of any length are gathered by rank") {
  run_on_threads(3, patience, [](Communicator& ranks) {
    const std::vector<std::string> texts =
        ranks.all_gather("texts", std::string(static_cast<std::size_t>(ranks.rank()), 'x'));
    if (texts != std::vector<std::string>{"", "x", "xx"}) throw std::runtime_error("wrong texts");
  });
}

TEST_CASE("a rank that does not come is named when the deadline is over") {
  const std::string sentence = error_of([] {
    run_on_threads(3, 0.2, [](Communicator& ranks) {
      ranks.set_update(4);
      ranks.all_gather("losses", std::string("all"));
      if (ranks.rank() != 1) ranks.all_gather("sums", std::string("two"));
    });
  });
  CHECK(sentence.find("waited 0.2 s in sums, update 4 (collective 2)") != std::string::npos);
  CHECK(sentence.find("rank 1 does not answer and was last seen in losses, update 4 (collective 1)") !=
        std::string::npos);
}

TEST_CASE("a rank that throws ends those who wait for it") {
  const auto start = std::chrono::steady_clock::now();
  std::string told;
  CHECK_THROWS_WITH(run_on_threads(2, patience,
                                   [&](Communicator& ranks) {
                                     if (ranks.rank() == 1) throw std::runtime_error("no memory");
                                     told = error_of([&] { ranks.all_gather("losses", std::string("one")); });
                                   }),
                    "no memory");
  CHECK(told == "Rank 1: no memory");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
}

TEST_CASE("ranks that meet in different calls say so") {
  const std::string sentence = error_of([] {
    run_on_threads(2, patience,
                   [](Communicator& ranks) { ranks.all_gather(ranks.rank() == 0 ? "losses" : "sums", std::string()); });
  });
  CHECK(sentence.find("losses") != std::string::npos);
  CHECK(sentence.find("sums") != std::string::npos);
}

TEST_CASE("a delayed rank changes nothing") {
  run_on_threads(2, patience, [](Communicator& ranks) {
    for (int i = 0; i < 5; ++i) {
      if (ranks.rank() == i % 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      const auto texts = ranks.all_gather("turns", std::to_string(i + ranks.rank()));
      if (texts != std::vector<std::string>{std::to_string(i), std::to_string(i + 1)})
        throw std::runtime_error("mixed");
    }
  });
}

}  // namespace moe
