#include "harness/results_commands.h"

#include "harness/commands/import_command.h"
#include "harness/commands/latency_command.h"
#include "harness/commands/number_options.h"
#include "harness/commands/scale/scale_command.h"
#include "harness/commands/verify/verify_command.h"
#include "harness/report/citation.h"
#include "harness/report/compare.h"
#include "harness/report/report.h"
#include "harness/report/tensorboard.h"
#include "harness/results/result_set.h"
#include "routers/registry.h"

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <limits>
#include <vector>

namespace moe {
namespace {

using Folders = std::vector<std::filesystem::path>;

// Beyond what anybody builds, and few enough that no product of two overflows.
constexpr std::int64_t most_ranks = 1 << 24;
constexpr std::int64_t largest_size = 1 << 30;
constexpr std::int64_t most_sentences = 1'000'000;

/// The results; what is not among them is said on standard error.
ResultSet read_with_remarks(const Folders& folders) {
  ResultSet results = read_results(folders, router_names());
  for (const std::string& remark : remarks_on(results)) std::cerr << remark << "\n";
  return results;
}

ExitStatus compare_folders(const Folders& folders) {
  MOE_CHECK(folders.size() == 2, "report --compare: expected two folders of results, the old and the new, not {}.",
            folders.size());
  const ResultSet before = read_with_remarks({folders[0]});
  std::cout << compare_results(before, read_with_remarks({folders[1]}));
  return ExitStatus::success;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("report", "Summary, charts, tables and HTML from result files alone");
  static Folders folders;
  static std::filesystem::path out;
  static bool compare = false;
  static bool bibtex = false;
  static std::filesystem::path events;
  command->add_option("folders", folders, "Folders of results; several are merged");
  auto* target_option = command->add_option("--out", out, "Where to write; default: the first folder");
  auto* comparison =
      command->add_flag("--compare", compare, "Print how the second folder differs from the first instead")
          ->excludes(target_option);
  command->add_option("--tensorboard", events, "Write validation curves as TensorBoard event files there instead")
      ->excludes(target_option)
      ->excludes(comparison);
  command->add_flag("--bibtex", bibtex, "Print how to cite the program instead");
  command->callback([&action] {
    action = [] {
      if (bibtex) {
        std::cout << bibtex_entry();
        return ExitStatus::success;
      }
      if (compare) return compare_folders(folders);
      MOE_CHECK(!folders.empty(), "report: name a folder of results.");
      if (!events.empty()) {
        const std::size_t runs = write_event_files(read_with_remarks(folders), events);
        std::cout << fmt::format("Event files of {} runs: {}\n", runs, events.string());
        return ExitStatus::success;
      }
      const std::filesystem::path target = out.empty() ? folders.front() : out;
      for (const std::filesystem::path& folder : folders) folders_of_runs(folder);  // a wrong one before any is made
      const FileLock lock = lock_report(target);
      write_report_with_verdicts(read_with_remarks(folders), target);
      std::cout << "Report: " << (target / "report" / "index.html").string() << "\n";
      return ExitStatus::success;
    };
  });
}

void add_verify(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("verify", "Check results against their digests, names and translations");
  static VerifyRequest request;
  static std::filesystem::path data;
  command->add_option("folders", request.folders, "Folders of results")->required();
  command->add_option("--data", data, "Folder of the text files; default: data.root of each run");
  command->add_flag("--json", request.json, "Print JSON");
  command->callback([&action] {
    action = [] {
      if (!data.empty()) request.data = data;
      return run_verify(request, std::cout);
    };
  });
}

void add_latency(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "latency", "Time translations of finished runs, one run after the other, for the table of their report");
  static LatencyRequest request;
  command->add_option("folders", request.folders, "Folders of results")->required();
  command->add_option("--sentences", request.sentences, "Sentences translated one at a time")
      ->check(whole_number(1, most_sentences))
      ->capture_default_str();
  command->add_option("--threads", request.threads, "Threads")
      ->check(whole_number(1, most_threads))
      ->capture_default_str();
  command->add_option("--device", request.device, "Where to compute")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command->callback([&action] {
    action = [] {
      run_latency(request, std::cout, std::cerr);
      return ExitStatus::success;
    };
  });
}

void add_import(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("import", "Score translations of another program as a row of a table, marked so");
  static ImportRequest request;
  command->add_option("--out", request.out, "Folder of results")->required();
  command->add_option("--name", request.label, "What charts and tables call them")->required();
  command->add_option("--direction", request.direction, "SOURCE-TARGET, de-en for example")->required();
  command->add_option("--set", request.set, "Name of the test set")->required();
  command->add_option("--reference", request.reference, "References, one a line")->required();
  add_repeatable(*command, "--hypothesis", request.hypotheses, "Translations, one a line; repeatable, for each seed")
      ->required();
  command->add_option("--parameters", request.parameters, "Number of its parameters, all active")
      ->check(whole_number(1, std::numeric_limits<std::int64_t>::max()));
  command->add_option("--source", request.source, "Where the translations come from, in words");
  command->callback([&action] {
    action = [] {
      run_import(request, std::cout, std::cerr);
      return ExitStatus::success;
    };
  });
}

void add_scale(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("scale", "What a run's MoE layers would cost on a cluster, by a model on paper");
  static ScaleRequest request;
  command->add_option("result", request.result, "result.json of a run, whose loads of the experts count")->required();
  command->add_option("--machine", request.machine, "Description of the cluster (JSON)")->required();
  auto* listed = add_repeatable(*command, "--ranks", request.ranks, "Numbers of ranks: 8,64,1024")
                     ->delimiter(',')
                     ->check(whole_number(1, most_ranks));
  command->add_option("--max-ranks", request.most_ranks, "Without --ranks: from 2 on, doubled up to this number")
      ->excludes(listed)
      ->check(whole_number(2, most_ranks))
      ->capture_default_str();
  command->add_option("--tokens", request.tokens, "Tokens of a rank in a step; default: a batch of the run")
      ->check(whole_number(1, largest_size));
  command->add_option("--top-k", request.top_k, "Experts that a token passes through; default: the run's")
      ->check(whole_number(1, largest_size));
  command->add_option("--width", request.width, "Width of the model; default: the run's")
      ->check(whole_number(1, largest_size));
  command->add_option("--hidden", request.hidden, "Hidden width of an expert; default: the run's")
      ->check(whole_number(1, largest_size));
  command->add_option("--out", request.out, "Folder of charts; default: none are drawn");
  command->callback([&action] {
    action = [] {
      run_scale(request, std::cout, std::cerr);
      return ExitStatus::success;
    };
  });
}

}  // namespace moe
