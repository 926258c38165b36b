#include "harness/cluster/job_scripts.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/cluster/quoting.h"
#include "harness/cluster/time_limit.h"

#include <algorithm>

namespace moe {
namespace {

/// A job needs time to start, to go on from a checkpoint, and to get somewhere before the signal.
constexpr std::int64_t shortest_limit = 2 * seconds_before_limit;

/// Lines `#SBATCH --option=value`.
class Directives {
 public:
  void add(const std::string& option, const std::string& value) {
    text_ += fmt::format("#SBATCH --{}={}\n", option, value);
  }
  void add(const std::string& option, std::int64_t value) { add(option, std::to_string(value)); }
  /// Of a text of the user; none where it is empty.
  void add_given(const std::string& option, const std::string& value) {
    if (!value.empty()) add(option, sbatch_quoted(value));
  }
  void add_flag(const std::string& option) { text_ += fmt::format("#SBATCH --{}\n", option); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// What both jobs ask for. `log`: pattern of the name of their log files.
void add_common(Directives& lines, const SweepJob& job, const std::string& log) {
  lines.add("ntasks", 1);
  lines.add_given("time", job.time);
  lines.add_given("mem", job.memory);
  lines.add_given("partition", job.partition);
  lines.add_given("account", job.account);
  lines.add("output", sbatch_quoted(log_pattern((job.folder() / "").string()) + log));
  lines.add("open-mode", "append");  // a task that was requeued writes on where it stopped
}

std::string go_to(const std::filesystem::path& folder) {
  return fmt::format("cd -- {} || exit 3\n", shell_quoted(folder.string()));
}

/// The call of `moe-bench run` as words of bash.
std::string run_call(const SweepJob& job) {
  const std::int64_t runs = job.gpus_per_task > 0 ? job.gpus_per_task : job.cpus_per_task / job.threads;
  std::vector<std::string> words = {shell_quoted(job.program.string()),
                                    "run",
                                    shell_quoted(job.sweep.string()),
                                    "--out",
                                    shell_quoted(job.results.string()),
                                    "--shard",
                                    fmt::format("\"$SLURM_ARRAY_TASK_ID/{}\"", job.shards),
                                    fmt::format("--jobs {} --threads {}", runs, job.threads)};
  if (job.gpus_per_task > 0) words.emplace_back("--device cuda");
  for (const std::string& setting : job.settings) words.push_back("--set " + shell_quoted(setting));
  return join(words, " ");
}

/// Before the program starts.
constexpr const char* listen = R"(signals=0
trap 'signals=$((signals + 1)); kill -USR1 $!' USR1
)";

/// While the program runs beside the script.
constexpr const char* wait_and_requeue = R"(
# A signal ends the wait and not the run, which still writes its checkpoint.
while true; do
  before=$signals
  wait $!
  status=$?
  ((signals == before)) && break
done

# 130: stopped, and ready to go on. 138: the signal came before the program listened.
if ((signals > 0 && (status == 130 || status == 138))); then
  task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID  # the bare number of the job would requeue the whole array
  echo "Task $task stops before its time limit and goes back into the queue."
  scontrol requeue "$task" || echo "Slurm did not requeue it; submit again, and it goes on from its checkpoint."
fi
exit "$status"
)";

}  // namespace

void check_job(const SweepJob& job, std::int64_t most_indices) {
  MOE_CHECK(job.shards >= 1 && job.shards < most_indices,
            "--shards {}: an array of this cluster takes 1 to {} tasks (MaxArraySize {}).", job.shards,
            most_indices - 1, most_indices);
  MOE_CHECK(job.cpus_per_task >= job.threads,
            "--cpus-per-task {}: fewer than the {} of --threads, which one run takes.", job.cpus_per_task, job.threads);
  MOE_CHECK(job.cpus_per_task >= job.threads * job.gpus_per_task,
            "--cpus-per-task {}: a run on each of {} GPUs takes {} of --threads.", job.cpus_per_task, job.gpus_per_task,
            job.threads);
  if (!job.time.empty()) {
    const std::optional<std::int64_t> seconds = time_limit_seconds(job.time);
    MOE_CHECK(seconds.has_value(), "--time {}: expected MM, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS.", job.time);
    MOE_CHECK(*seconds >= shortest_limit, "--time {}: {} seconds before the limit a task stops; at least {} minutes.",
              job.time, seconds_before_limit, shortest_limit / 60);
  }
  check_no_control_character("--mem", job.memory);
  check_no_control_character("--partition", job.partition);
  check_no_control_character("--account", job.account);
  for (const std::filesystem::path& path : {job.program, job.sweep, job.results, job.working_folder}) {
    check_no_control_character("The path", path.string());
  }
  for (const std::string& setting : job.settings) check_no_control_character("--set", setting);
  log_pattern(job.folder().string());
}

std::string array_script(const SweepJob& job) {
  Directives lines;
  lines.add("job-name", sbatch_quoted(job.name));
  lines.add("array", fmt::format("1-{}{}", job.shards, job.at_once > 0 ? fmt::format("%{}", job.at_once) : ""));
  add_common(lines, job, "array-%A_%a.log");
  lines.add("cpus-per-task", job.cpus_per_task);
  if (job.gpus_per_task > 0) lines.add("gpus-per-task", job.gpus_per_task);
  lines.add("signal", fmt::format("B:USR1@{}", seconds_before_limit));
  lines.add_flag("requeue");
  return fmt::format(
      "#!/bin/bash\n# Each task runs one shard of a sweep. Made by `moe-bench slurm`; README.md says how to submit "
      "it.\n"
      "{}\n{}{}{} &\n{}",
      lines.text(), go_to(job.working_folder), listen, run_call(job), wait_and_requeue);
}

std::string report_script(const SweepJob& job) {
  Directives lines;
  lines.add("job-name", sbatch_quoted(job.name + " report"));
  add_common(lines, job, "report-%j.log");
  return fmt::format(
      "#!/bin/bash\n# The report, once the array has ended. Made by `moe-bench slurm`; README.md says how to submit "
      "it.\n"
      "{}\n{}exec {} report {}\n",
      lines.text(), go_to(job.working_folder), shell_quoted(job.program.string()), shell_quoted(job.results.string()));
}

std::string submission_page(const SweepJob& job) {
  return fmt::format(R"(# {0} on Slurm

Submit the array, and the report for when it has ended:

```sh
array=$(sbatch --parsable {1})
array=${{array%%;*}}  # behind a semicolon stands the name of the cluster, where there are several
sbatch --dependency=afterany:"$array" {2}
```

- `array.sh` has {3}, a shard of the sweep each; `array-JOB_TASK.log` is what a task says.
- {4} seconds before its limit a task writes checkpoints and goes back into the queue, where Slurm may hold it for two
  minutes. Results are those of runs that were never stopped.
- `scancel JOB_TASK` takes one task away and leaves the others. The report names the runs that have no result.
- Submitted again, the array runs what is missing. Two arrays of one sweep at a time get in each other's way.
- `report.sh` writes `../report/index.html`; `report-JOB.log` is what it says.
)",
                     job.name, shell_quoted(job.array_script().string()), shell_quoted(job.report_script().string()),
                     job.shards == 1 ? "1 task" : fmt::format("{} tasks", job.shards), seconds_before_limit);
}

}  // namespace moe
