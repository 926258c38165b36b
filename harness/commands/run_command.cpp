#include "harness/commands/run_command.h"

#include "core/files.h"
#include "harness/commands/run/dry_run.h"
#include "harness/commands/run/execute_runs.h"
#include "harness/process/file_lock.h"
#include "harness/process/stop_signal.h"
#include "harness/report/html_report.h"
#include "harness/report/report.h"
#include "harness/results/run_result.h"
#include "harness/run/run_needs.h"
#include "routers/registry.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <ostream>

namespace moe {
namespace {

namespace fs = std::filesystem;

std::vector<PlannedRun> runs_of_shard(const SweepPlan& plan, const Shard& shard) {
  std::vector<PlannedRun> runs;
  for (std::size_t i = shard.index - 1; i < plan.runs.size(); i += shard.count) runs.push_back(plan.runs[i]);
  return runs;
}

/// What is left to do of the runs, the longest first: then no long run is left alone at the end.
std::vector<PlannedRun> missing_runs(const std::vector<PlannedRun>& runs, const RunRequest& request) {
  std::vector<PlannedRun> missing;
  for (const PlannedRun& run : runs) {
    if (request.fresh) fs::remove_all(run.folder.path);
    if (!run.folder.is_finished()) missing.push_back(run);
  }
  std::map<std::string, double> flops;  // a router is made for each
  for (const PlannedRun& run : missing) flops[run.id] = expected_flops(run.spec);
  std::stable_sort(missing.begin(), missing.end(),
                   [&](const PlannedRun& a, const PlannedRun& b) { return flops.at(a.id) > flops.at(b.id); });
  return missing;
}

/// Whether a run of the sweep failed, in whichever call, or has a result that could not be read.
bool any_failed(const SweepPlan& plan, const ResultSet& results) {
  const auto left_out = [&](const PlannedRun& run) {
    const std::string file = run.folder.result().string();
    return std::any_of(results.left_out.begin(), results.left_out.end(),
                       [&](const std::string& sentence) { return sentence.find(file) != std::string::npos; });
  };
  return std::any_of(plan.runs.begin(), plan.runs.end(), [&](const PlannedRun& run) {
    const RunResult* result = results.find(run.id);
    return result == nullptr ? left_out(run) : !result->finished();
  });
}

/// True when the page shows the results that stand in the folder.
bool report_is_current(const ResultSet& results, const fs::path& page) {
  return fs::exists(page) && read_file(page).find(report_mark(results)) != std::string::npos;
}

/// Writes the report, unless it stands there, and prints its table, once no run of the sweep is missing. A report of a
/// part would count as a look at the claims.
void report_whole_sweep(const SweepPlan& plan, const ResultSet& results, const fs::path& folder,
                        const RunRequest& request, std::ostream& out) {
  const auto missing = std::count_if(plan.runs.begin(), plan.runs.end(),
                                     [](const PlannedRun& run) { return !fs::exists(run.folder.result()); });
  if (missing > 0) {
    if (request.verbosity == Verbosity::quiet) return;
    out << fmt::format("No report yet: {} of {} runs have no result in {}. The last shard writes it.\n", missing,
                       plan.runs.size(), folder.string());
    return;
  }
  const fs::path page = folder / "report" / "index.html";
  if (!report_is_current(results, page)) write_report_with_verdicts(results, folder);
  if (request.verbosity == Verbosity::quiet) return;
  out << read_file(folder / "report" / "tables" / "results.md") << "\nReport: " << page.string() << "\n";
}

}  // namespace

SweepOutcome execute_sweep(const Sweep& sweep, const RunRequest& request, const fs::path& folder, std::ostream& out) {
  MOE_CHECK(request.device.gpu || request.jobs_per_gpu == 1, "--jobs-per-gpu {}: needs --device cuda.",
            request.jobs_per_gpu);
  ConfigErrors errors;
  check_files(sweep, errors);
  errors.throw_if_any(request.sweep.string());
  const std::vector<std::string> notes = check_data(sweep, errors);
  if (request.verbosity != Verbosity::quiet) {
    for (const std::string& note : notes) std::cerr << note << '\n';
  }
  if (request.dry_run) {
    describe_runs(sweep, errors, out);
    return {};
  }
  errors.throw_if_any(request.sweep.string());
  fs::create_directories(folder);
  const std::string shard =
      request.shard.count == 1 ? "" : fmt::format(".{}-of-{}", request.shard.index, request.shard.count);
  const FileLock lock(folder / ("sweep" + shard + ".lock"), FileLock::WhenHeld::refuse);
  fs::create_directories(folder / "runs");  // a shard may have no run
  install_stop_signals();
  SweepOutcome outcome{ExitStatus::success, plan_sweep(sweep, folder), {}};
  const SweepPlan& plan = outcome.plan;
  const std::vector<PlannedRun> own = runs_of_shard(plan, request.shard);
  const std::vector<PlannedRun> missing = missing_runs(own, request);
  write_file(folder / "sweep.json", format_json(sweep.resolved));
  if (!missing.empty()) {
    outcome.status = execute_runs(plan, missing, own.size(), request, sweep.parallel);
  }
  if (outcome.status == ExitStatus::interrupted) return outcome;
  const FileLock report_lock = lock_report(folder);
  outcome.results = read_results({folder}, router_names());
  for (const std::string& sentence : outcome.results.left_out) std::cerr << "Left out: " << sentence << '\n';
  report_whole_sweep(plan, outcome.results, folder, request, out);
  if (outcome.status == ExitStatus::success && any_failed(plan, outcome.results)) {
    outcome.status = ExitStatus::runs_failed;
  }
  return outcome;
}

ExitStatus run_sweep(const RunRequest& request, std::ostream& out) {
  const Sweep sweep = read_sweep(request.sweep, request.settings);
  return execute_sweep(sweep, request, request.out.empty() ? fs::path("results") / sweep.name : request.out, out)
      .status;
}

}  // namespace moe
