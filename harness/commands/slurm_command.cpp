#include "harness/commands/slurm_command.h"

#include "core/files.h"
#include "harness/cluster/slurm.h"
#include "harness/commands/validate_command.h"
#include "harness/sweep/sweep.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <ostream>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// The job with all that a request may leave open, and absolute paths: it runs elsewhere, and later.
SweepJob complete(SweepJob job, const Sweep& sweep, std::int64_t most_indices) {
  const std::int64_t runs = std::ssize(sweep.runs);
  MOE_CHECK(job.shards <= runs, "--shards {}: the sweep has {} runs, and each shard needs one.", job.shards, runs);
  if (job.shards == 0) job.shards = std::min(runs, most_indices - 1);
  job.name = sweep.name;
  job.program = fs::read_symlink("/proc/self/exe");
  job.sweep = fs::absolute(job.sweep).lexically_normal();
  job.results = fs::absolute(job.results.empty() ? fs::path("results") / sweep.name : job.results).lexically_normal();
  job.working_folder = fs::current_path();
  return job;
}

}  // namespace

ExitStatus run_slurm(const SlurmRequest& request, std::ostream& out, std::ostream& errors) {
  const ExitStatus valid = validate_sweep(request.job.sweep, request.job.settings, /*look_at_data=*/true, out, errors);
  if (valid != ExitStatus::success) return valid;
  const std::optional<std::int64_t> most_indices = max_array_size();
  if (!most_indices) {
    out << fmt::format("No Slurm answers here: MaxArraySize is taken to be {}.\n", default_max_array_size);
  }
  const Sweep sweep = read_sweep(request.job.sweep, request.job.settings);
  const SweepJob job = complete(request.job, sweep, most_indices.value_or(default_max_array_size));
  check_job(job, most_indices.value_or(default_max_array_size));
  write_file(job.array_script(), array_script(job));
  write_file(job.report_script(), report_script(job));
  write_file(job.folder() / "README.md", submission_page(job));
  out << fmt::format("Array of {}: {}\nIts report: {}\n",
                     job.shards == 1 ? "1 task" : fmt::format("{} tasks", job.shards), job.array_script().string(),
                     job.report_script().string());
  if (!request.submit) {
    out << fmt::format("How to submit them: {}\n", (job.folder() / "README.md").string());
    return ExitStatus::success;
  }
  const std::string array = submit_job(job.array_script());
  out << fmt::format("Submitted the array as job {}", array) << std::flush;  // said whatever becomes of the second
  const std::string report = submit_job(job.report_script(), array);
  out << fmt::format(", its report as job {}.\n", report);
  return ExitStatus::success;
}

}  // namespace moe
