#include "harness/run/run_worker.h"

#include "core/error.h"
#include "core/stopwatch.h"
#include "harness/process/file_lock.h"
#include "harness/process/stop_signal.h"
#include "harness/results/result_file.h"
#include "harness/results/routing_choices.h"
#include "harness/run/build_model.h"
#include "harness/run/device.h"
#include "harness/run/machine.h"
#include "harness/run/result_parts.h"
#include "harness/run/run_data.h"
#include "harness/run/run_folder.h"
#include "harness/run/run_inputs.h"
#include "harness/run/scores/inference_modes.h"
#include "harness/run/scores/scoring.h"
#include "harness/run/scores/validation.h"
#include "harness/run/torch_error.h"
#include "parallel/expert_exchange.h"
#include "parallel/share_out.h"
#include "training/checkpoint.h"
#include "training/train_log.h"
#include "training/train_loop.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <sys/prctl.h>

#include <cerrno>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>

namespace moe {
namespace {

constexpr std::int64_t log_every = 50;  ///< updates between lines of train.jsonl

/// The sweep saw the GPU before it started this process: it may be gone since.
c10::Device open_own_device(const std::string& name) {
  try {
    return open_device(name);
  } catch (const Error&) {
    throw Error("The run finds no GPU.", ExitStatus::device_lost);
  }
}

class Worker {
 public:
  /// `exchange`: where the experts are spread over the ranks, else null.
  Worker(const WorkerRequest& request, Communicator& ranks, ExpertExchange* exchange, const ProgressListener& listener)
      : request_(request),
        ranks_(ranks),
        listener_(listener),
        folder_{request.run_folder},
        spec_(read_run_config(folder_)),
        where_(open_own_device(request.device), ranks),
        data_(load_run_data(spec_.data, folder_.vocabulary())),
        inputs_(checked_inputs(folder_, spec_, data_.corpus)),
        model_(build_model(spec_, data_.counts, exchange)),
        trainer_(prepare_model(), data_.train, spec_.data.sampling_temperature, spec_.training,
                 spec_.strategy.objective, where_) {
    state_.origin = run_fingerprint(folder_, spec_);
    if (std::filesystem::exists(folder_.checkpoint())) load_checkpoint(folder_.checkpoint(), trainer_, state_);
    if (state_.started.empty()) state_.started = utc_now();
  }

  /// Throws Error (machine_failed) where ranks go on from different states: their folder is not one and the same, or
  /// one of them sees it as it was before.
  void check_ranks_agree() {
    const std::vector<std::string> states = meet(ranks_, "state of the run", [&] {
      return fmt::format("update {} of run {}", trainer_.update(), state_.origin);
    });
    for (std::size_t rank = 1; rank < states.size(); ++rank) {
      if (states[rank] == states[0]) continue;
      throw Error(fmt::format("Rank {} begins at {}, rank 0 at {}; they do not see the same {}.", rank, states[rank],
                              states[0], folder_.path.string()),
                  ExitStatus::machine_failed);
    }
  }

  ExitStatus run() { return train() && score() ? ExitStatus::success : ExitStatus::interrupted; }

 private:
  Transformer& prepare_model() {
    model_->to(where_.device);
    return *model_;
  }

  /// False when a signal asked to stop; a checkpoint is then written.
  bool train() {
    std::optional<TrainLog> log;
    on_first_rank(ranks_, "opening of the log", [&] { log.emplace(folder_.log(), state_.log_bytes); });
    const TrainLoopSettings settings{spec_.evaluation.every, spec_.evaluation.average_share,
                                     request_.checkpoint_seconds, request_.profile ? &phase_seconds_ : nullptr};
    const TrainLoopHooks hooks{.after_step = [&](const StepReport& report) { record_step(report, log); },
                               .validate = [&] { validate(); },
                               .checkpoint =
                                   [&] {
                                     on_first_rank(ranks_, "log", [&] { state_.log_bytes = log->flush(); });
                                     save_checkpoint(folder_.checkpoint(), trainer_, state_);
                                   },
                               .stop = stop_requested};
    return run_train_loop(settings, *model_, trainer_, state_, hooks, ranks_);
  }

  void record_step(const StepReport& report, std::optional<TrainLog>& log) {
    for (const std::size_t layer : report.gates_without_gradient) {
      if (!gates_without_gradient_.insert(layer).second) continue;
      note(fmt::format("{}: the gate got no gradient at update {}", place_text(model_->moe_places()[layer]),
                       report.update));
    }
    if (log && report.update % log_every == 0) {
      log->write({{"update", report.update},
                  {"cross_entropy", report.cross_entropy},
                  {"plain_cross_entropy", report.plain},
                  {"consistency", report.consistency},
                  {"balance_loss", report.balance},
                  {"z_loss", report.z},
                  {"gradient_norm", report.gradient_norm},
                  {"learning_rate", report.learning_rate}});
    }
    if (since_progress_.seconds() >= 0.5) progress("training");
  }

  void progress(const char* stage) {
    since_progress_.restart();
    Json message = {{"stage", stage}, {"update", trainer_.update()}, {"updates", spec_.training.updates}};
    if (state_.seconds.training > 0) {
      message["tokens_per_second"] = static_cast<double>(trainer_.target_tokens()) / state_.seconds.training;
    }
    if (!state_.curve.empty()) {
      message["valid_loss"] = state_.curve.back()["valid_loss"];
      message["valid_bleu"] = state_.curve.back()["valid_bleu"];
    }
    tell(message);
  }

  /// A line for the user, once, now.
  void note(const std::string& text) { tell({{"note", text}}); }

  void tell(const Json& message) {
    if (ranks_.is_first()) listener_(message);
  }

  void validate() {
    progress("validation");
    const Stopwatch stopwatch;
    const std::vector<std::string> notes = record_validation(*model_, spec_, data_, trainer_, where_, state_);
    state_.seconds.validation += stopwatch.seconds();
    progress("training");
    for (const std::string& text : notes) note(text);
  }

  /// Scores the last weights and their mean, and writes the result. False when a signal came before that was done;
  /// nothing is lost but these scores.
  bool score() {
    const Stopwatch stopwatch;
    const bool averaged = state_.mean.count() > 0;
    std::vector<SetScores> last, scored;
    if (averaged && !score_tests(last)) return false;
    state_.mean.load_into(*model_);
    FinalScores scores;
    if (averaged) scores.valid = score_validation();
    if (!score_tests(scored)) return false;
    if (any_rank(ranks_, "stop before what is measured", stop_requested())) return false;
    progress("measurements on the validation set");
    scores.calibration = calibrate(*model_, spec_, data_.valid, where_);
    if (spec_.evaluation.inference_modes) scores.inference = inference_modes(*model_, spec_, data_.valid, where_);
    if (spec_.evaluation.routing_swaps) scores.routing_swaps = routing_swaps(*model_, spec_, data_.valid, where_);
    for (std::size_t i = 0; i < scored.size(); ++i) {
      if (const std::string cut = scored[i].cut_note(data_.corpus.test[i].name); !cut.empty()) note(cut);
      add_sentence_losses(*model_, spec_, data_.test[i], scores.calibration.temperature, where_, scored[i]);
    }
    on_first_rank(ranks_, "writing of the result",
                  [&] { write_all(std::move(scores), scored, last, stopwatch.seconds()); });
    return true;
  }

  /// Translations, scores of sentences, choices, and the result itself. `last` has the scores of the last weights, if
  /// `scored` has those of a mean.
  void write_all(FinalScores scores, const std::vector<SetScores>& scored, const std::vector<SetScores>& last,
                 double test_seconds) {
    for (std::size_t i = 0; i < scored.size(); ++i) {
      const TextSet& text = data_.corpus.test[i];
      const SetScores* last_of_set = last.empty() ? nullptr : &last[i];
      for (TestScore& entry : test_score_entries(scored[i], last_of_set, data_, text, folder_.path)) {
        scores.tests.push_back(std::move(entry));
      }
    }
    RunRecord record =
        result_header(spec_, run_id(spec_, with_files(inputs_.data, inputs_.files)), inputs_.data, inputs_.files);
    add_finished_parts(*model_, trainer_, spec_, state_, std::move(scores), record);
    record.routing_choices = write_choices();
    record.measurements = measurements(trainer_, state_, test_seconds, request_.device);
    if (ranks_.size() > 1) record.measurements.host["ranks"] = ranks_.size();
    record.measurements.host["jobs"] = request_.jobs;
    if (request_.profile) record.measurements.profile = phase_seconds_;
    write_result(folder_.result(), record);
  }

  /// Writes the first choices of the last validation. Returns the name of their file, empty without a choice.
  std::string write_choices() const {
    RoutingChoices choices;
    bool any = false;
    for (std::size_t layer = 0; layer < state_.choices.size(); ++layer) {
      const bool chooses = model_->moe_layers()[layer]->layout().count > 1;
      choices.push_back(chooses ? state_.choices[layer].back() : std::vector<std::int64_t>{});
      any = any || chooses;
    }
    if (!any) return "";
    write_routing_choices(folder_.path / "choices.txt", choices);
    return "choices.txt";
  }

  /// Adds the scores of each test set. False when a signal came before the last.
  bool score_tests(std::vector<SetScores>& scores) {
    for (std::size_t i = 0; i < data_.test.size(); ++i) {
      if (any_rank(ranks_, "stop before a test", stop_requested())) return false;
      progress("test");
      scores.push_back(
          score_set(*model_, spec_, data_, data_.test[i], data_.corpus.test[i], spec_.evaluation.beam, where_));
      state_.decoding_seconds += scores.back().translation_seconds;
      state_.decoded_sentences += scores.back().sentences;
    }
    return true;
  }

  ScoredValidation score_validation() {
    progress("validation");
    const SetScores scores =
        score_set(*model_, spec_, data_, data_.valid, data_.corpus.valid, spec_.evaluation.valid_beam, where_);
    return {scores.mean_loss(), scores.mean_bleu()};
  }

  WorkerRequest request_;
  Communicator& ranks_;
  const ProgressListener& listener_;
  RunFolder folder_;
  RunSpec spec_;
  ExecutionContext where_;
  RunData data_;
  RunInputs inputs_;
  std::shared_ptr<Transformer> model_;
  Trainer trainer_;
  RunState state_;
  std::map<std::string, double> phase_seconds_;   ///< of this process's training steps
  std::set<std::size_t> gates_without_gradient_;  ///< already spoken of
  Stopwatch since_progress_;
};

/// Runs `work`, and makes sentences of what LibTorch and the allocator throw.
template <class Work>
ExitStatus with_sentences(Work work) {
  const auto out_of_memory = [] { return Error("The run was out of memory.", ExitStatus::runs_failed); };
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw out_of_memory();
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) throw out_of_memory();
    throw Error(sentence_of(error), is_device_loss(error) ? ExitStatus::device_lost : ExitStatus::runs_failed);
  }
}

}  // namespace

ExitStatus execute_run(const WorkerRequest& request, Communicator& ranks, const ProgressListener& listener) {
  at::set_num_threads(request.threads);
  std::optional<ExpertExchange> exchange;
  if (request.spread_experts && ranks.size() > 1) exchange.emplace(ranks);
  std::unique_ptr<Worker> worker;
  on_all_ranks(ranks, "start of the run",
               [&] { worker = std::make_unique<Worker>(request, ranks, exchange ? &*exchange : nullptr, listener); });
  worker->check_ranks_agree();
  return worker->run();
}

ExitStatus run_worker(const WorkerRequest& request) {
  prctl(PR_SET_NAME, program_invocation_short_name);  // the sweep started a link, whose name would tell nobody anything
  install_stop_signals();
  at::set_num_interop_threads(1);
  // A worker whose sweep was killed may still be writing its last checkpoint.
  const FileLock lock(RunFolder{request.run_folder}.lock(), FileLock::WhenHeld::wait);
  if (RunFolder{request.run_folder}.is_finished()) return ExitStatus::success;
  const auto print = [](const Json& message) { std::cout << message.dump() << '\n' << std::flush; };
  const ExitStatus status = with_sentences([&] { return execute_run(request, one_rank(), print); });
  if (status == ExitStatus::interrupted) {
    std::cerr << fmt::format("The run was stopped by {} and goes on from its checkpoint.\n", stop_signal_name());
  }
  return status;
}

}  // namespace moe
