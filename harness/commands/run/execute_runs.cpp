#include "harness/commands/run/execute_runs.h"

#include "core/files.h"
#include "core/text.h"
#include "harness/commands/run/run_on_ranks.h"
#include "harness/process/file_lock.h"
#include "harness/process/process_pool.h"
#include "harness/process/stop_signal.h"
#include "harness/results/result_file.h"
#include "harness/results/run_result.h"
#include "harness/run/device.h"
#include "harness/run/gpu/gpu_slots.h"
#include "harness/run/machine.h"
#include "harness/run/run_needs.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

namespace moe {
namespace {

namespace fs = std::filesystem;

std::vector<RunSpec> specs_of(const std::vector<PlannedRun>& runs) {
  std::vector<RunSpec> specs;
  for (const PlannedRun& run : runs) specs.push_back(run.spec);
  return specs;
}

/// Writes what the worker reads. A failed result of an earlier call goes: the run is tried again.
void prepare_folder(const PlannedRun& run, const SweepPlan& plan) {
  fs::create_directories(run.folder.path / "hypotheses");
  fs::remove(run.folder.result());
  write_file(run.folder.config(), format_json(write_run_spec(run.spec)));
  write_file(run.folder.vocabulary(), read_file(plan.data[run.data_index].vocabulary));
  write_inputs(run.folder, run.inputs, plan.data[run.data_index].texts);
}

/// Each run sees one GPU, if any, and knows nothing of the others.
std::string device_of_run(const RunRequest& request) {
  return request.device.gpu ? "cuda" : "cpu";
}

WorkerRequest shared_request(const PlannedRun& run, const RunRequest& request, const ParallelSettings& parallel) {
  return {.run_folder = run.folder.path,
          .device = device_of_run(request),
          .threads = request.threads,
          .profile = request.profile,
          .spread_experts = parallel.experts == "tokens"};
}

/// The link leads the child to the program that this process executes, whatever has become of its file since.
Job worker_job(const PlannedRun& run, const RunRequest& request, int jobs) {
  Job job{run.id,
          {program_invocation_name, "worker", "--run", run.folder.path.string(), "--device", device_of_run(request),
           "--threads", std::to_string(request.threads), "--jobs", std::to_string(jobs)},
          "/proc/self/exe"};
  if (request.profile) job.command.emplace_back("--profile");
  return job;
}

std::string failure_sentence(const JobOutcome& outcome) {
  if (outcome.signal == SIGKILL) return "The run was killed (signal 9); the machine may have run out of memory.";
  if (outcome.signal != 0)
    return fmt::format("The run was ended by signal {}. {}", outcome.signal, valid_utf8(outcome.error));
  if (outcome.error.empty()) return fmt::format("The run ended with status {}.", outcome.status);
  return valid_utf8(outcome.error);
}

void write_failed_result(const PlannedRun& run, const std::string& failure, const RunRequest& request,
                         const std::string& gpu_name) {
  RunRecord record = result_header(run.spec, run.id, run.inputs.data, run.inputs.files);
  record.failure = failure;
  record.measurements.started = utc_now();
  record.measurements.host = host_facts(device_of_run(request), gpu_name);
  record.measurements.software = software_facts();
  write_result(run.folder.result(), record);
}

std::string finished_note(const PlannedRun& run) {
  std::vector<std::string> notes;
  for (const TestScore& score : read_run_result(run.folder.result()).scores) {
    notes.push_back(fmt::format("{} {}: BLEU {:.2f}", score.direction, score.set, score.bleu.score));
  }
  return join(notes, ", ");
}

/// The children of a sweep and what becomes of them.
class SweepExecution {
 public:
  SweepExecution(const SweepPlan& plan, std::vector<PlannedRun> missing, const RunRequest& request, std::size_t runs)
      : plan_(plan),
        missing_(std::move(missing)),
        request_(request),
        display_(runs, runs - missing_.size(), request.verbosity, standard_error_output()) {}

  /// Runs each in a process of its own, so many side by side. Worst status of all. `slots`: where they run; null on the
  /// CPU.
  ExitStatus run_in_processes(int jobs, GpuSlots* slots) {
    slots_ = slots;
    const int side_by_side = std::min(jobs, static_cast<int>(missing_.size()));
    std::vector<Job> queue;
    for (const PlannedRun& run : missing_) {
      prepare_folder(run, plan_);
      queue.push_back(worker_job(run, request_, side_by_side));
    }
    JobEvents events;
    events.started = [&](const Job& job) { display_.started(job.id); };
    events.progress = [&](const Job& job, const Json& message) { display_.message(job.id, message); };
    events.finished = [&](const Job& job, const JobOutcome& outcome) { finished(job, outcome); };
    events.tick = [&] { display_.tick(); };
    if (slots_ != nullptr) events.place = [&](const Job& job) { return place(job); };
    const bool complete = run_jobs(queue, jobs, events);
    display_.close();
    if (complete) return status_;
    if (stop_requested()) return ExitStatus::interrupted;
    std::cerr << fmt::format("No GPU is left; {} of {} runs were not started. The same command goes on with them.\n",
                             missing_.size() - ended_, missing_.size());
    return ExitStatus::machine_failed;
  }

  /// Runs one after the other on all ranks of the request. Worst status of all.
  ExitStatus run_on_ranks(const ParallelSettings& parallel) {
    request_.ranks->set_deadline(parallel.deadline_s);
    for (const PlannedRun& run : missing_) {
      prepare_folder(run, plan_);
      const FileLock lock(run.folder.lock(), FileLock::WhenHeld::refuse);
      display_.started(run.id);
      const SharedRunEnd end = run_on_all_ranks(shared_request(run, request_, parallel), *request_.ranks,
                                                [&](const Json& message) { display_.message(run.id, message); });
      if (end.status == ExitStatus::interrupted) {
        display_.finished(run.id, RunEnd::interrupted, "");
        status_ = ExitStatus::interrupted;
        break;
      }
      if (end.status == ExitStatus::success) {
        display_.finished(run.id, RunEnd::done, finished_note(run));
      } else {
        failed(run, end.failure, ExitStatus::runs_failed);
      }
    }
    display_.close();
    return status_;
  }

 private:
  std::optional<std::vector<std::string>> place(const Job& job) {
    const VisibleGpu* gpu = slots_->take(job.id);
    if (gpu == nullptr) return std::nullopt;
    return std::vector<std::string>{"CUDA_VISIBLE_DEVICES=" + gpu->visible};
  }

  void finished(const Job& job, const JobOutcome& outcome) {
    ++ended_;
    const bool lost = outcome.status == static_cast<int>(ExitStatus::device_lost);
    const VisibleGpu gpu = slots_ != nullptr ? slots_->release(job.id, lost) : VisibleGpu{};
    const auto run = std::find_if(missing_.begin(), missing_.end(), [&](const auto& r) { return r.id == job.id; });
    if (outcome.success()) {
      display_.finished(job.id, RunEnd::done, finished_note(*run));
    } else if (stop_requested()) {
      display_.finished(job.id, RunEnd::interrupted, "");
    } else {
      std::string failure = failure_sentence(outcome);
      if (lost) failure = fmt::format("{} is lost, and not used again. {}", gpu.title(), failure);
      const bool machine = lost || outcome.status == static_cast<int>(ExitStatus::machine_failed);
      failed(*run, failure, machine ? ExitStatus::machine_failed : ExitStatus::runs_failed, gpu.name);
    }
  }

  /// `gpu`: the name of the one that it ran on; empty: none.
  void failed(const PlannedRun& run, const std::string& failure, ExitStatus status, const std::string& gpu = "") {
    if (status_ != ExitStatus::machine_failed) status_ = status;
    display_.finished(run.id, RunEnd::failed, failure);
    write_failed_result(run, failure, request_, gpu);
  }

  const SweepPlan& plan_;
  std::vector<PlannedRun> missing_;
  const RunRequest& request_;
  ProgressDisplay display_;
  GpuSlots* slots_ = nullptr;
  std::size_t ended_ = 0;
  ExitStatus status_ = ExitStatus::success;
};

}  // namespace

ExitStatus execute_runs(const SweepPlan& plan, const std::vector<PlannedRun>& missing, std::size_t runs,
                        const RunRequest& request, const ParallelSettings& parallel) {
  SweepExecution execution(plan, missing, request, runs);
  if (request.ranks != nullptr) return execution.run_on_ranks(parallel);
  const std::vector<RunSpec> specs = specs_of(missing);
  std::optional<GpuSlots> slots;
  if (request.device.gpu) {
    require_gpu("cuda");
    slots = make_gpu_slots(choose_gpus(request.device, visible_gpus()), specs, request.jobs_per_gpu, std::cerr);
  }
  const int most = slots ? slots->total() : default_jobs(specs, request.threads);
  return execution.run_in_processes(request.jobs > 0 ? request.jobs : most, slots ? &*slots : nullptr);
}

}  // namespace moe
