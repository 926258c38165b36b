#include "harness/commands/run/run_on_ranks.h"

#include "harness/run/torch_error.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <limits>
#include <new>

namespace moe {
namespace {

[[noreturn]] void abort_job(Communicator& ranks, const std::string& sentence, ExitStatus status) {
  const bool names_rank = sentence.starts_with("Rank ");
  ranks.abort(names_rank ? sentence : fmt::format("Rank {}: {}", ranks.rank(), sentence), status);
  std::abort();  // unreachable, which GCC does not see through the virtual call
}

/// Tells the others what to do next. They have nothing else to do, so whoever does not answer is stopped or gone.
void tell_next_task(Communicator& ranks, const nlohmann::json& task) {
  try {
    ranks.all_gather("next run", task.dump());
  } catch (const Error& error) {
    abort_job(ranks, error.what(), error.status());
  }
}

/// What the first rank says. It may take its time, over a vocabulary or a report.
nlohmann::json hear_next_task(Communicator& ranks) {
  const double deadline = ranks.deadline_seconds();
  ranks.set_deadline(std::numeric_limits<double>::infinity());
  const std::string told = ranks.all_gather("next run", std::string()).front();
  ranks.set_deadline(deadline);
  return nlohmann::json::parse(told);
}

SharedRunEnd take_part(const WorkerRequest& request, Communicator& ranks, const ProgressListener& listener) {
  try {
    return {execute_run(request, ranks, listener), ""};
  } catch (const Error& error) {
    if (error.status() == ExitStatus::machine_failed) abort_job(ranks, error.what(), error.status());
    return {ExitStatus::runs_failed, error.what()};
  } catch (const std::bad_alloc&) {
    abort_job(ranks, "Out of memory.", ExitStatus::machine_failed);
  } catch (const c10::Error& error) {
    abort_job(ranks, sentence_of(error), ExitStatus::runs_failed);
  } catch (const std::exception& error) {
    abort_job(ranks, error.what(), ExitStatus::runs_failed);
  }
}

nlohmann::json task_of(const WorkerRequest& request, const Communicator& ranks) {
  return {{"deadline_seconds", ranks.deadline_seconds()},
          {"run_folder", request.run_folder.string()},
          {"device", request.device},
          {"threads", request.threads},
          {"profile", request.profile},
          {"checkpoint_seconds", request.checkpoint_seconds},
          {"spread_experts", request.spread_experts}};
}

WorkerRequest request_of(const nlohmann::json& task) {
  return {.run_folder = task.at("run_folder").get<std::string>(),
          .device = task.at("device").get<std::string>(),
          .threads = task.at("threads").get<int>(),
          .profile = task.at("profile").get<bool>(),
          .checkpoint_seconds = task.at("checkpoint_seconds").get<double>(),
          .spread_experts = task.at("spread_experts").get<bool>()};
}

}  // namespace

SharedRunEnd run_on_all_ranks(const WorkerRequest& request, Communicator& ranks, const ProgressListener& listener) {
  tell_next_task(ranks, task_of(request, ranks));
  return take_part(request, ranks, listener);
}

void dismiss_ranks(Communicator& ranks, ExitStatus status) {
  tell_next_task(ranks, {{"end", static_cast<int>(status)}});
}

ExitStatus follow_first_rank(Communicator& ranks) {
  const auto nobody = [](const Json&) {};
  try {
    while (true) {
      const nlohmann::json task = hear_next_task(ranks);
      if (task.contains("end")) return static_cast<ExitStatus>(task.at("end").get<int>());
      ranks.set_deadline(task.at("deadline_seconds").get<double>());
      take_part(request_of(task), ranks, nobody);
    }
  } catch (const std::exception& error) {
    abort_job(ranks, error.what(), ExitStatus::machine_failed);
  }
}

}  // namespace moe
