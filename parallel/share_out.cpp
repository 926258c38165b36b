#include "parallel/share_out.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <new>

namespace moe {
namespace {

/// What went wrong on one rank, as the others are told.
nlohmann::json failure(const std::string& sentence, ExitStatus status) {
  return {{"sentence", sentence}, {"status", static_cast<int>(status)}};
}

nlohmann::json describe(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return failure(error.what(), error.status());
  } catch (const std::bad_alloc&) {
    return failure("Out of memory.", ExitStatus::runs_failed);
  } catch (const c10::Error& error) {
    return failure(error.what_without_backtrace(), ExitStatus::runs_failed);
  } catch (const std::exception& error) {
    return failure(error.what(), ExitStatus::runs_failed);
  }
}

/// What a message that begins with "-" tells of a rank.
Error failure_of(int rank, const std::string& message) {
  const nlohmann::json told = nlohmann::json::parse(message.substr(1));
  return Error(fmt::format("Rank {}: {}", rank, told.at("sentence").get<std::string>()),
               static_cast<ExitStatus>(told.at("status").get<int>()));
}

}  // namespace

std::string failure_sentence(const std::exception_ptr& exception) {
  return describe(exception).at("sentence").get<std::string>();
}

Share share_of(std::int64_t count, int rank, int ranks) {
  return {count * rank / ranks, count * (rank + 1) / ranks};
}

std::vector<std::string> meet(Communicator& ranks, const std::string& name, const std::function<std::string()>& part) {
  if (ranks.size() == 1) return {part()};
  // The first character tells results from failures.
  std::string message;
  try {
    message = "+" + part();
  } catch (const CollectiveError&) {
    throw;
  } catch (const std::exception&) {
    message = "-" + describe(std::current_exception()).dump();
  }
  try {
    ranks.prepare_meeting();
  } catch (const std::exception&) {
    // Ranks that were left in the middle of an exchange cannot meet again; what went wrong here is the cause.
    if (message.front() == '+') throw;
    throw Error(failure_of(ranks.rank(), message).what(), ExitStatus::machine_failed);
  }
  std::vector<std::string> messages = ranks.all_gather(name, message);
  for (std::size_t rank = 0; rank < messages.size(); ++rank) {
    if (messages[rank].front() == '+') {
      messages[rank].erase(0, 1);
      continue;
    }
    throw failure_of(static_cast<int>(rank), messages[rank]);
  }
  return messages;
}

bool any_rank(Communicator& ranks, const std::string& name, bool here) {
  if (ranks.size() == 1) return here;
  const std::vector<std::string> answers = ranks.all_gather(name, here ? std::string("yes") : std::string("no"));
  return std::count(answers.begin(), answers.end(), "yes") > 0;
}

void on_first_rank(Communicator& ranks, const std::string& name, const std::function<void()>& work) {
  on_all_ranks(ranks, name, [&] {
    if (ranks.is_first()) work();
  });
}

void on_all_ranks(Communicator& ranks, const std::string& name, const std::function<void()>& work) {
  meet(ranks, name, [&] {
    work();
    return std::string();
  });
}

}  // namespace moe
