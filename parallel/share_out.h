#pragma once
// Work that ranks share: each does a part, and all have the whole result, or the same error.

#include "parallel/communicator.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace moe {

/// The items [first, last) that one of several ranks works on.
struct Share {
  std::int64_t first = 0;
  std::int64_t last = 0;

  std::int64_t count() const { return last - first; }
};

/// That of a rank: contiguous ranges in the order of the ranks, whose lengths differ by one at most.
Share share_of(std::int64_t count, int rank, int ranks);

/// What an exception says, in a sentence for other ranks.
std::string failure_sentence(const std::exception_ptr& exception);

/// Does this rank's part of some work, and gives all ranks' results, by rank. What one rank's part throws is thrown on
/// every rank as Error with its sentence and the number of that rank; a CollectiveError is thrown here alone and at
/// once, for there is no more meeting. A process that is alone throws what it throws.
std::vector<std::string> meet(Communicator& ranks, const std::string& name, const std::function<std::string()>& part);

/// True on all ranks when it is true on any.
bool any_rank(Communicator& ranks, const std::string& name, bool here);

/// `work` on the first rank alone, of files for example; what it throws is thrown on all.
void on_first_rank(Communicator& ranks, const std::string& name, const std::function<void()>& work);

/// `work` on every rank; what it throws on one of them is thrown on all.
void on_all_ranks(Communicator& ranks, const std::string& name, const std::function<void()>& work);

/// work(i) for each of `count` items, by the rank whose share it is; the results of all items in order, on every rank.
/// Result: a type that nlohmann::json converts.
template <class Result, class Work>
std::vector<Result> share_out(Communicator& ranks, const std::string& name, std::int64_t count, Work work) {
  const Share share = share_of(count, ranks.rank(), ranks.size());
  std::vector<Result> results;
  const auto work_on_share = [&] {
    for (std::int64_t i = share.first; i < share.last; ++i) results.push_back(work(i));
  };
  if (ranks.size() == 1) {
    work_on_share();
    return results;
  }
  const std::vector<std::string> parts = meet(ranks, name, [&] {
    work_on_share();
    const std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(nlohmann::json(results));
    return std::string(bytes.begin(), bytes.end());
  });
  results.clear();
  for (const std::string& part : parts) {
    for (auto& result : nlohmann::json::from_cbor(part).get<std::vector<Result>>())
      results.push_back(std::move(result));
  }
  return results;
}

}  // namespace moe
