// The command line: arguments and exit status, nothing else. Those of commands on results:
// results_commands.h; of commands for clusters: cluster_commands.h.

#include "core/error.h"
#include "decoding/evaluation_settings.h"
#include "harness/cluster_commands.h"
#include "harness/commands/completion.h"
#include "harness/commands/doctor_command.h"
#include "harness/commands/interop/layer_command.h"
#include "harness/commands/interop/objective_command.h"
#include "harness/commands/list_command.h"
#include "harness/commands/number_options.h"
#include "harness/commands/run/run_on_ranks.h"
#include "harness/commands/run_command.h"
#include "harness/commands/score_command.h"
#include "harness/commands/translate_command.h"
#include "harness/commands/tune_command.h"
#include "harness/commands/validate_command.h"
#include "harness/process/standard_streams.h"
#include "harness/process/stop_signal.h"
#include "harness/results/record.h"
#include "harness/results_commands.h"
#include "harness/run/gpu/rank_gpu.h"
#include "harness/run/machine.h"
#include "harness/run/run_worker.h"
#include "harness/run/torch_error.h"
#include "harness/sweep/sweep.h"
#include "parallel/process_group.h"

#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>
#include <new>
#include <system_error>

namespace moe {
namespace {

// More than any machine has or anybody waits for, and few enough to count on.
constexpr std::int64_t most_jobs = 65536;
constexpr std::int64_t most_samples = 10'000'000;

void add_settings(CLI::App& command, std::vector<std::string>& settings) {
  add_repeatable(command, "--set", settings, "Replace a value or an axis: key.path=value; repeatable");
}

/// The command in this process, or in all ranks that a launcher started beside it.
ExitStatus run_in_job(RunRequest request, ExitStatus (*run)(const RunRequest&, std::ostream&)) {
  const RankGpu gpu(request.device);
  ProcessGroup group(stop_requested);
  Communicator& ranks = group.ranks();
  if (ranks.size() == 1) return run(request, std::cout);
  MOE_CHECK(request.jobs <= 1, "--jobs {}: ranks that share each run take one run after the other.", request.jobs);
  MOE_CHECK(request.jobs_per_gpu == 1, "--jobs-per-gpu {}: ranks have a GPU each.", request.jobs_per_gpu);
  if (request.device.gpu) gpu.meet(ranks);
  install_stop_signals();
  at::set_num_interop_threads(1);
  if (!ranks.is_first()) return follow_first_rank(ranks);
  request.ranks = &ranks;
  try {
    const ExitStatus status = run(request, std::cout);
    dismiss_ranks(ranks, status);
    return status;
  } catch (const Error& error) {
    dismiss_ranks(ranks, error.status());
    throw;
  } catch (...) {  // a full disk, memory: without a word from here the others would wait for ever
    dismiss_ranks(ranks, ExitStatus::machine_failed);
    throw;
  }
}

/// `run`, or another command that runs what is missing of a sweep.
void add_runner(CLI::App& app, Action& action, const std::string& name, const std::string& help,
                ExitStatus (*run)(const RunRequest&, std::ostream&)) {
  auto* command = app.add_subcommand(name, help);
  static RunRequest request;
  static std::string shard;
  static std::string device = "cpu";
  static bool quiet = false;
  static bool verbose = false;
  command->add_option("sweep", request.sweep, "Sweep file (JSON)")->required();
  command->add_option("--out", request.out,
                      "Folder of the results; default results/NAME, or results/NAME/tuning of tune");
  add_settings(*command, request.settings);
  command
      ->add_option("--jobs", request.jobs,
                   "Runs side by side; default: cores / threads, as far as memory allows, or as the GPUs have places")
      ->check(whole_number(1, most_jobs));
  command->add_option("--threads", request.threads, "Threads of each run")
      ->check(whole_number(1, most_threads))
      ->capture_default_str();
  command->add_option("--shard", shard, "I/N: take every N-th run, from the I-th");
  command
      ->add_option("--device", device,
                   "Where to compute: cpu, cuda (all visible GPUs) or cuda:0,2 (these); ranks of mpirun get one each")
      ->capture_default_str();
  command
      ->add_option("--jobs-per-gpu", request.jobs_per_gpu,
                   "Most runs side by side on a GPU, as far as its memory allows")
      ->check(whole_number(1, most_jobs))
      ->capture_default_str();
  command->add_flag("--dry-run", request.dry_run, "Print the runs with parameters, FLOPs and time, and run nothing");
  command->add_flag("--fresh", request.fresh, "Forget earlier results of these runs");
  command->add_flag("--profile", request.profile, "Record in the results where the time of training goes, by phase");
  command->add_flag("--quiet", quiet, "Print failures only");
  command->add_flag("--verbose", verbose, "Print every message of every run");
  command->callback([&action, run] {
    action = [run] {
      if (!shard.empty()) request.shard = parse_shard(shard);
      request.device = parse_device(device);
      request.verbosity = quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal;
      return run_in_job(request, run);
    };
  });
}

void add_validate(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("validate", "Report every error of a sweep file at once");
  static std::filesystem::path sweep;
  static std::vector<std::string> settings;
  static bool schema = false;
  static bool of_results = false;
  auto* file = command->add_option("sweep", sweep, "Sweep file (JSON)");
  add_settings(*command, settings);
  auto* of_sweeps =
      command->add_flag("--schema", schema, "Print the JSON Schema of sweep files instead")->excludes(file);
  command->add_flag("--result-schema", of_results, "Print the JSON Schema of result.json instead")
      ->excludes(file)
      ->excludes(of_sweeps);
  command->callback([&action] {
    action = [] {
      if (schema || of_results) {
        std::cout << format_json(schema ? sweep_schema() : result_schema());
        return ExitStatus::success;
      }
      MOE_CHECK(!sweep.empty(), "validate: name a sweep file.");
      return validate_sweep(sweep, settings, /*look_at_data=*/true, std::cout, std::cerr);
    };
  });
}

void add_list(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("list", "What can be named in a sweep, with options, defaults and sources");
  static std::string what;
  static bool json = false;
  command->add_option("what", what, "routers, objectives, models, data or metrics")->required();
  command->add_flag("--json", json, "Print JSON");
  command->callback([&action] {
    action = [] {
      list_things(what, json, std::cout);
      return ExitStatus::success;
    };
  });
}

void add_score(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("score", "BLEU and chrF as sacreBLEU computes them, with its signature");
  static ScoreRequest request;
  static std::vector<std::string> metrics;
  static PairedOptions bootstrap;
  static PairedOptions randomisation{PairedTest::randomisation, 10000};
  static std::uint64_t seed = bootstrap.seed;
  command->add_option("hypotheses", request.hypotheses, "Translations, one a line; a file for each system")->required();
  add_repeatable(*command, "--reference", request.references, "References, one a line; repeatable")->required();
  add_repeatable(*command, "--metric", metrics, "bleu or chrf; repeatable; default: both");
  command->add_option("--tokenize", request.tokenize, "Words of BLEU: 13a, intl, char or none")->capture_default_str();
  command->add_option("--smooth,--smooth-method", request.smooth, "Smoothing of BLEU: exp, floor, add-k or none")
      ->capture_default_str();
  command->add_option("--smooth-value", request.smooth_value, "Of floor (default 0.1) and add-k (default 1)");
  command->add_option("--word-order", request.word_order, "Word n-grams of chrF: 0, or 2 for chrF++")
      ->check(CLI::IsMember({0, 2}))
      ->capture_default_str();
  command->add_flag("--lowercase", request.lowercase, "Compare in lower case");
  command->add_flag("--sentence-level", request.sentence_level, "Score each line");
  static bool paired_bs = false;
  static bool paired_ar = false;
  auto* bs = command->add_flag("--paired-bs", paired_bs, "Test systems against the first: paired bootstrap");
  command->add_flag("--paired-ar", paired_ar, "Test systems against the first: approximate randomisation")
      ->excludes(bs);
  command->add_option("--paired-bs-n", bootstrap.samples, "Resamples")
      ->check(whole_number(1, most_samples))
      ->capture_default_str();
  command->add_option("--paired-ar-n", randomisation.samples, "Trials")
      ->check(whole_number(1, most_samples))
      ->capture_default_str();
  command->add_option("--seed", seed, "Seed of either test")
      ->check(whole_number(0, std::numeric_limits<std::int64_t>::max()))
      ->capture_default_str();
  command->add_flag("--json", request.json, "Print JSON");
  command->callback([&action] {
    action = [] {
      if (paired_bs) request.paired = bootstrap;
      if (paired_ar) request.paired = randomisation;
      if (request.paired) request.paired->seed = seed;
      if (!metrics.empty()) request.metrics = metrics;
      run_score(request, std::cout);
      return ExitStatus::success;
    };
  });
}

void add_translate(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("translate", "Translate standard input with a trained run");
  static TranslateRequest request;
  command->add_option("--run", request.run_folder, "Folder of the run")->required();
  command->add_option("--direction", request.direction, "SOURCE-TARGET, de-en for example")->required();
  command->add_option("--beam", request.beam, "Beam width; default: the run's")
      ->check(number_of<EvaluationSettings>("beam"));
  command->add_option("--length-penalty", request.length_penalty, "Default: the run's")
      ->check(number_of<EvaluationSettings>("length_penalty"));
  command
      ->add_option(
          "--max-length-ratio", request.max_length_ratio,
          "A translation is cut at this many times its source's pieces + the constant below; default: the run's")
      ->check(number_of<EvaluationSettings>("max_length_ratio"));
  command
      ->add_option("--max-length-constant", request.max_length_constant,
                   "Constant part of that limit, in pieces, the end counted; default: the run's")
      ->check(number_of<EvaluationSettings>("max_length_constant"));
  command->add_option("--inference", request.inference, "token, sentence, position_shared, mean, merged or fixed:E");
  command->add_option("--device", request.device, "Where to compute")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command->callback([&action] {
    action = [] {
      StandardInput bytes;
      std::istream input(&bytes);
      run_translate(request, input, std::cout, std::cerr);
      return ExitStatus::success;
    };
  });
}

void add_interop(CLI::App& app, Action& action, const std::string& name, const std::string& help,
                 void (*run)(const InteropRequest&)) {
  auto* command = app.add_subcommand(name, help);
  const auto request = std::make_shared<InteropRequest>();
  command->add_option("--config", request->config, "Conditions (JSON)")->required();
  command->add_option("--input", request->input, "Tensors to read (safetensors)")->required();
  command->add_option("--output", request->output, "Tensors to write (safetensors)")->required();
  command->callback([&action, request, run] {
    action = [request, run] {
      run(*request);
      return ExitStatus::success;
    };
  });
}

void add_doctor(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("doctor", "What this machine and this build can do");
  static bool json = false;
  command->add_flag("--json", json, "Print JSON");
  command->callback([&action] {
    action = [] {
      run_doctor(json, std::cout);
      return ExitStatus::success;
    };
  });
}

void add_completion(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("completion", "Print a script that completes this program's command line");
  static std::string shell;
  command->add_option("shell", shell, "bash (zsh reads it after bashcompinit)")
      ->required()
      ->check(CLI::IsMember({"bash"}));
  command->callback([&app, &action] {
    action = [&app] {
      write_bash_completion(app, std::cout);
      return ExitStatus::success;
    };
  });
}

std::string version_text() {
  const Json software = software_facts();
  return fmt::format("moe-bench {} ({}), LibTorch {}", software["moe_bench"].get<std::string>(),
                     software["revision"].get<std::string>(), software["libtorch"].get<std::string>());
}

/// What `run` starts, one process a run; not for people.
void add_worker(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("worker", "")->group("");
  static WorkerRequest request;
  command->add_option("--run", request.run_folder)->required();
  command->add_option("--device", request.device);
  command->add_option("--threads", request.threads);
  command->add_option("--jobs", request.jobs);
  command->add_flag("--profile", request.profile);
  command->callback([&action] { action = [] { return run_worker(request); }; });
}

int run_program(int argc, char** argv) {
  CLI::App app{"moe-bench compares Mixture-of-Experts routing strategies under equal conditions."};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Print the help of all commands");
  app.set_version_flag("--version", version_text, "Print the versions of the program and of LibTorch");
  Action action;
  add_runner(app, action, "run", "Run what is missing of a sweep, then write summary and report", run_sweep);
  add_runner(app, action, "tune", "Find the best of the same settings for every strategy, on the validation set",
             tune_sweep);
  add_slurm(app, action);
  add_report(app, action);
  add_latency(app, action);
  add_verify(app, action);
  add_import(app, action);
  add_scale(app, action);
  add_validate(app, action);
  add_list(app, action);
  add_score(app, action);
  add_translate(app, action);
  add_interop(app, action, "layer", "One MoE layer on given tokens and weights, for comparison", run_layer);
  add_interop(app, action, "objective", "The training losses of given logits, for comparison", run_objective);
  add_doctor(app, action);
  add_completion(app, action);
  add_worker(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_help = error.get_exit_code() == 0;
    app.exit(error);
    return static_cast<int>(is_help ? ExitStatus::success : ExitStatus::request_wrong);
  }
  limit_threads();
  return static_cast<int>(action());
}

/// The sentence and the status of whatever was thrown.
int report_error() {
  try {
    throw;
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return static_cast<int>(error.status());
  } catch (const std::bad_alloc&) {
    std::cerr << "Out of memory.\n";
    return static_cast<int>(ExitStatus::machine_failed);
  } catch (const std::filesystem::filesystem_error& error) {
    std::cerr << error.path1().string() << ": " << error.code().message() << ".\n";
    return static_cast<int>(ExitStatus::machine_failed);
  } catch (const std::system_error& error) {  // no thread could be started, for example
    std::cerr << "The system refuses: " << error.code().message() << ".\n";
    return static_cast<int>(ExitStatus::machine_failed);
  } catch (const c10::Error& error) {
    const bool no_memory = is_out_of_memory(error);
    std::cerr << (no_memory ? "Out of memory." : sentence_of(error)) << "\n";
    return static_cast<int>(no_memory ? ExitStatus::machine_failed : ExitStatus::runs_failed);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return static_cast<int>(ExitStatus::runs_failed);
  }
}

/// For what a library's own thread throws, where nobody can catch it, and for what main catches. No destructor runs:
/// where memory was too little to compile a kernel, that of LibTorch's cache of kernels crashes.
[[noreturn]] void end_with_a_sentence() {
  std::_Exit(std::current_exception() ? report_error() : static_cast<int>(ExitStatus::runs_failed));
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {
  moe::occupy_closed_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the user's limit is then an error with a sentence, for workers too
  std::set_terminate(moe::end_with_a_sentence);
  try {
    moe::StandardOutput output;
    const int status = moe::run_program(argc, argv);
    output.finish();
    return status;
  } catch (...) {
    moe::end_with_a_sentence();
  }
}
