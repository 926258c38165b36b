#include "harness/run_worker.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "harness/build_model.h"
#include "harness/device.h"
#include "harness/file_lock.h"
#include "harness/machine.h"
#include "harness/result_file.h"
#include "harness/run_data.h"
#include "harness/run_folder.h"
#include "harness/run_result.h"
#include "harness/run_state.h"
#include "harness/scoring.h"
#include "harness/stop_signal.h"
#include "harness/train_log.h"
#include "harness/validation.h"
#include "training/phase_profile.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <new>
#include <set>

namespace moe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t log_every = 50;  ///< updates between lines of train.jsonl

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Worker {
 public:
  explicit Worker(const WorkerRequest& request)
      : request_(request),
        folder_{request.run_folder},
        spec_(read_run_config(folder_)),
        device_(open_device(request.device)),
        data_(load_run_data(spec_.data, folder_.vocabulary())),
        model_(build_model(spec_, data_.counts)),
        trainer_(prepare_model(), data_.train, spec_.data.sampling_temperature, spec_.training,
                 spec_.strategy.objective, device_) {
    state_.origin = origin_of(folder_, spec_);
    if (std::filesystem::exists(folder_.checkpoint())) load_checkpoint(folder_.checkpoint(), trainer_, state_);
    if (state_.started.empty()) state_.started = utc_now();
  }

  ExitStatus run() {
    if (!train()) return ExitStatus::interrupted;
    load_mean_of_snapshots(*model_, state_);
    return score_tests() ? ExitStatus::success : ExitStatus::interrupted;
  }

 private:
  Transformer& prepare_model() {
    model_->to(device_);
    return *model_;
  }

  bool budget_spent() const {
    const TrainingSettings& training = spec_.training;
    return trainer_.update() >= training.updates || (training.flops && trainer_.flops() >= *training.flops) ||
           (training.seconds && state_.seconds.training >= *training.seconds);
  }

  /// False when a signal asked to stop; a checkpoint is then written.
  bool train() {
    TrainLog log(folder_.log(), state_.log_bytes);
    Clock::time_point last_checkpoint = Clock::now();
    const auto checkpoint = [&] {
      state_.log_bytes = log.flush();
      save_checkpoint(folder_.checkpoint(), trainer_, state_);
      last_checkpoint = Clock::now();
    };
    while (!budget_spent()) {
      step(log);
      const bool at_validation = trainer_.update() % spec_.evaluation.every == 0 || budget_spent();
      if (at_validation) validate();
      const bool stop = stop_requested();
      if (at_validation || stop || seconds_since(last_checkpoint) >= request_.checkpoint_seconds) checkpoint();
      if (stop) return false;
    }
    if (state_.curve.empty()) {  // no update at all: the untrained model is scored
      validate();
      checkpoint();
    }
    return true;
  }

  void step(TrainLog& log) {
    const auto start = Clock::now();
    const StepReport report = request_.profile ? profiled_step() : trainer_.step();
    state_.seconds.training += seconds_since(start);
    state_.sums.add(report);
    for (const std::size_t layer : report.silent_gates) {
      if (!silent_gates_.insert(layer).second) continue;
      note(fmt::format("{}: the gate got no gradient at update {}", place_text(model_->moe_places()[layer]),
                       report.update));
    }
    if (report.update % log_every == 0) {
      log.write({{"update", report.update},
                 {"cross_entropy", report.cross_entropy},
                 {"plain_cross_entropy", report.plain},
                 {"consistency", report.consistency},
                 {"balance_loss", report.balance},
                 {"z_loss", report.z},
                 {"gradient_norm", report.gradient_norm},
                 {"learning_rate", report.learning_rate}});
    }
    if (seconds_since(last_progress_) >= 0.5) progress("training");
  }

  StepReport profiled_step() {
    const PhaseProfile profile;
    StepReport report = trainer_.step();
    for (const auto& [phase, seconds] : profile.seconds()) phase_seconds_[phase] += seconds;
    return report;
  }

  void progress(const char* stage) {
    last_progress_ = Clock::now();
    Json message = {{"stage", stage}, {"update", trainer_.update()}, {"updates", spec_.training.updates}};
    if (state_.seconds.training > 0) {
      message["tokens_per_second"] = static_cast<double>(trainer_.target_tokens()) / state_.seconds.training;
    }
    if (!state_.curve.empty()) {
      message["valid_loss"] = state_.curve.back()["valid_loss"];
      message["valid_bleu"] = state_.curve.back()["valid_bleu"];
    }
    std::cout << message.dump() << '\n' << std::flush;
  }

  /// A line for the user, once, now.
  static void note(const std::string& text) { std::cout << Json{{"note", text}}.dump() << '\n' << std::flush; }

  void validate() {
    progress("validation");
    const auto start = Clock::now();
    const std::vector<std::string> notes = record_validation(*model_, spec_, data_, trainer_, device_, state_);
    state_.seconds.validation += seconds_since(start);
    progress("training");
    for (const std::string& text : notes) note(text);
  }

  /// False when a signal came before the last set was scored; nothing is lost but these scores.
  bool score_tests() {
    const auto start = Clock::now();
    Json scores = Json::array();
    for (std::size_t i = 0; i < data_.test.size(); ++i) {
      if (stop_requested()) return false;
      progress("test");
      const TextSet& text = data_.corpus.test[i];
      const SetScores set = score_set(*model_, spec_, data_, data_.test[i], text, spec_.evaluation.beam, device_);
      state_.decoding_seconds += set.translation_seconds;
      state_.decoded_sentences += set.sentences;
      if (const std::string cut = set.cut_note(text.name); !cut.empty()) note(cut);
      const auto write = [&](const std::string& name, const std::vector<std::string>& lines) {
        write_file(folder_.path / name, join(lines, "\n") + "\n");
      };
      for (Json& entry : test_score_entries(set, data_, text, write)) scores.push_back(std::move(entry));
    }
    const double test_seconds = seconds_since(start);
    const std::string digest = corpus_digest(spec_.data, data_.corpus);
    Json result = result_header(spec_, run_id(spec_, digest), digest);
    add_finished_parts(*model_, trainer_, spec_, state_, std::move(scores), result);
    result["measurements"] = measurements(trainer_, state_, test_seconds, request_.device);
    if (request_.profile) result["measurements"]["profile"] = phase_seconds_;
    write_result(folder_.result(), std::move(result));
    return true;
  }

  WorkerRequest request_;
  RunFolder folder_;
  RunSpec spec_;
  torch::Device device_;
  RunData data_;
  std::shared_ptr<Transformer> model_;
  Trainer trainer_;
  RunState state_;
  std::map<std::string, double> phase_seconds_;  ///< of this process's training steps
  std::set<std::size_t> silent_gates_;           ///< already spoken of
  Clock::time_point last_progress_;
};

Error out_of_memory() {
  return Error("The run was out of memory.", ExitStatus::runs_failed);
}

/// LibTorch has a type of its own only for devices' memory; on the CPU its allocator's words are all there is.
bool is_out_of_memory(const c10::Error& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
         std::strstr(error.what_without_backtrace(), "can't allocate memory");
}

}  // namespace

ExitStatus run_worker(const WorkerRequest& request) {
  install_stop_signals();
  at::set_num_threads(request.threads);
  at::set_num_interop_threads(1);
  // A worker whose sweep was killed may still be writing its last checkpoint.
  const FileLock lock(RunFolder{request.run_folder}.lock(), FileLock::WhenHeld::wait);
  if (RunFolder{request.run_folder}.is_finished()) return ExitStatus::success;
  try {
    const ExitStatus status = Worker(request).run();
    if (status == ExitStatus::interrupted) {
      std::cerr << fmt::format("The run was stopped by {} and goes on from its checkpoint.\n", stop_signal_name());
    }
    return status;
  } catch (const std::bad_alloc&) {
    throw out_of_memory();
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) throw out_of_memory();
    throw Error(error.what_without_backtrace(), ExitStatus::runs_failed);
  }
}

}  // namespace moe
