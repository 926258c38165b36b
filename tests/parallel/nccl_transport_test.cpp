#include "parallel/nccl_transport.h"

#include "core/random.h"
#include "core/stopwatch.h"
#include "parallel/thread_communicator.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "tests/support/recording_nccl.h"

#include <torch/types.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace moe {
namespace {

using Kind = RecordedRank::Kind;

constexpr double long_enough = 60;

/// Rows from rank to rank in one exchange; none in about a third of the cases.
std::int64_t rows_of(int exchange, int from, int to) {
  return std::max<std::int64_t>(RandomStream(4).at(exchange).at(from).at(to).below(6) - 2, 0);
}

torch::Tensor message(int exchange, int from, int to, torch::Dtype dtype) {
  return torch::full({rows_of(exchange, from, to), 3}, 100 * exchange + 10 * from + to, dtype);
}

void exchange_rows(Communicator& ranks, int exchange) {
  const torch::Dtype dtype = exchange % 2 == 0 ? torch::kFloat32 : torch::kBFloat16;
  std::vector<torch::Tensor> send, receive;
  for (int other = 0; other < ranks.size(); ++other) {
    send.push_back(message(exchange, ranks.rank(), other, dtype));
    receive.push_back(torch::empty_like(message(exchange, other, ranks.rank(), dtype)));
  }
  ranks.all_to_all("rows", send, receive);
  for (int other = 0; other < ranks.size(); ++other) {
    if (!receive[static_cast<std::size_t>(other)].equal(message(exchange, other, ranks.rank(), dtype))) {
      throw std::runtime_error("other rows came than were sent");
    }
  }
}

/// What is said on two ranks that have met by NCCL, and the seconds until then.
std::pair<std::string, double> said_of(RecordingNccl& nccl, double deadline,
                                       const std::function<void(Communicator&)>& work) {
  const Stopwatch waited;
  const std::string said = error_of([&] {
    run_on_threads(2, deadline, [&](Communicator& ranks) {
      use_nccl(ranks, torch::kCPU, RecordingNccl::api);
      work(ranks);
    });
  });
  CHECK((nccl.rank(0).aborted && nccl.rank(1).aborted));
  return {said, waited.seconds()};
}

}  // namespace

TEST_CASE("what ranks send by NCCL arrives, in calls that match on all of them") {
  for (const int size : {2, 3, 4}) {
    RecordingNccl nccl(size);
    run_on_threads(size, long_enough, [&](Communicator& ranks) {
      use_nccl(ranks, torch::kCPU, RecordingNccl::api);
      for (int exchange = 0; exchange < 20; ++exchange) exchange_rows(ranks, exchange);
    });
    CHECK(nccl.mismatch().empty());
    for (int rank = 0; rank < size; ++rank) CHECK(nccl.rank(rank).aborted);  // nobody waits for it
  }
}

TEST_CASE("an exchange is one group of receives and sends by bytes, after one that connects the ranks") {
  RecordingNccl nccl(2);
  run_on_threads(2, long_enough, [&](Communicator& ranks) {
    use_nccl(ranks, torch::kCPU, RecordingNccl::api);
    const bool first = ranks.is_first();
    const torch::Tensor rows = torch::ones({5, 2});
    const std::vector<torch::Tensor> send = {rows.narrow(0, 0, 2), rows.narrow(0, 2, first ? 3 : 0)};
    const std::vector<torch::Tensor> receive = {torch::empty({2, 2}), torch::empty({first ? 2 : 0, 2})};
    ranks.all_to_all("rows", send, first ? receive : std::vector<torch::Tensor>{torch::empty({3, 2}), receive[1]});
  });
  using Calls = std::vector<RecordedRank::Call>;
  const auto group_of = [](Calls calls) {
    calls.insert(calls.begin(), {Kind::start_group});
    calls.push_back({Kind::end_group});
    return calls;
  };
  const auto together = [](Calls one, const Calls& other) {
    one.insert(one.end(), other.begin(), other.end());
    return one;
  };
  const Calls connect_first = group_of({{Kind::receive, 1, 4}, {Kind::send, 1, 4}});
  const Calls connect_second = group_of({{Kind::receive, 0, 4}, {Kind::send, 0, 4}});
  CHECK((nccl.rank(0).calls == together(connect_first, group_of({{Kind::receive, 1, 16}, {Kind::send, 1, 24}}))));
  CHECK((nccl.rank(1).calls == together(connect_second, group_of({{Kind::receive, 0, 24}, {Kind::send, 0, 16}}))));
}

TEST_CASE("a rank that does not come to an exchange by NCCL is waited for until the deadline") {
  int exchange = 0;
  while (rows_of(exchange, 1, 0) == 0) ++exchange;  // one that rank 0 waits in
  RecordingNccl nccl(2);
  const auto [said, seconds] = said_of(nccl, 0.3, [&](Communicator& ranks) {
    ranks.set_update(7);
    ranks.set_layer("encoder.1.ffn");
    if (ranks.is_first()) exchange_rows(ranks, exchange);
  });
  CHECK(names(said, {"Rank 0 waited 0.3 s in rows, layer encoder.1.ffn, update 7"}));
  CHECK(seconds < long_enough);
}

TEST_CASE("what NCCL says of a broken connection is said, with the exchange") {
  RecordingNccl nccl(2);
  const auto [said, seconds] = said_of(nccl, long_enough, [&](Communicator& ranks) {
    ranks.set_update(7);
    if (!ranks.is_first()) return;
    nccl.break_rank(0, RecordingNccl::remote_error);
    exchange_rows(ranks, 1);
  });
  CHECK(names(said, {"Rank 0: NCCL, in rows, update 7", "remote process exited"}));
  CHECK(seconds < long_enough);
}

TEST_CASE("a call that NCCL refuses is told when its group is closed") {
  RecordingNccl nccl(2);
  const auto [said, seconds] = said_of(nccl, long_enough, [&](Communicator& ranks) {
    if (!ranks.is_first()) return;
    const std::vector<torch::Tensor> send = {torch::ones({1}), torch::ones({1})};
    nccl.refuse_sends();
    ranks.all_to_all("rows", send, {torch::empty({1}), torch::empty({1})});
  });
  CHECK(names(said, {"Rank 0: NCCL, in rows", "invalid usage"}));
  CHECK(nccl.rank(0).calls.back() == RecordedRank::Call{Kind::end_group});
  CHECK(seconds < long_enough);
}

TEST_CASE("a rank that NCCL does not start on says so") {
  RecordingNccl nccl(2);
  nccl.refuse(1);
  const std::string said = error_of([] {
    run_on_threads(2, /*deadline_seconds=*/3, [](Communicator& ranks) {  // which the other rank waits for
      use_nccl(ranks, torch::kCPU, RecordingNccl::api);
    });
  });
  CHECK(names(said, {"Rank 1: NCCL, in the start of NCCL: remote process"}));
}

TEST_CASE("a rank without NCCL is named on all ranks") {
  const std::string said = error_of([] {
    run_on_threads(2, long_enough, [](Communicator& ranks) {
      use_nccl(ranks, torch::kCPU, [&] {
        if (!ranks.is_first()) throw Error("There is no NCCL.", ExitStatus::machine_failed);
        return RecordingNccl::api();
      });
    });
  });
  CHECK(names(said, {"Rank 1: There is no NCCL."}));
}

}  // namespace moe
