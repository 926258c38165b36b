#include "harness/cluster/job_scripts.h"

#include "core/error.h"
#include "core/files.h"
#include "core/temporary_folder.h"
#include "core/text.h"
#include "harness/process/command.h"
#include "tests/support/catch.h"

#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

namespace moe {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t most_indices = 1001;

SweepJob example_job() {
  SweepJob job;
  job.name = "example";
  job.program = "/bin/moe-bench";
  job.sweep = "/sweeps/it's one.json";
  job.results = "/results/100 %";
  job.working_folder = "/where I was";
  job.shards = 4;
  return job;
}

bool has_line(const std::string& text, const std::string& line) {
  const std::vector<std::string> lines = split(text, '\n');
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

/// The array's script with a program that this test writes, run as Slurm would run the given task.
struct Task {
  TemporaryFolder folder;
  SweepJob job = example_job();

  /// `program` and `scontrol`: bodies of scripts in the place of these programs.
  explicit Task(const std::string& program, const std::string& scontrol = "echo \"$@\"") {
    job.results = folder.path() / "it's \"here\"";
    job.working_folder = folder.path();
    job.program = folder.path() / "a program";
    write_program(job.program, program);
    write_program(folder.path() / "bin" / "scontrol", scontrol);
    write_file(folder.path() / "array.sh", array_script(job));
  }

  CommandResult run(const std::string& beside = "") const {
    return run_command({"bash", "-c",
                        "cd '" + folder.path().string() + "'; export PATH=$PWD/bin:$PATH SLURM_ARRAY_JOB_ID=7 " +
                            "SLURM_ARRAY_TASK_ID=3; bash array.sh & script=$!; " + beside + "\nwait $script"});
  }

  static void write_program(const fs::path& file, const std::string& body) {
    write_file(file, "#!/bin/bash\n" + body + "\n");
    ::chmod(file.c_str(), 0755);
  }
};

/// Waits until the program listens, and tells the script of the limit.
constexpr const char* tell = "until [[ -e ready ]]; do sleep 0.02; done; kill -USR1 $script";

TEST_CASE("both scripts say to Slurm what was asked for, and nothing that was not") {
  SweepJob job = example_job();
  const std::string plain = array_script(job);
  CHECK(has_line(plain, "#SBATCH --job-name=\"example\""));
  CHECK(has_line(plain, "#SBATCH --array=1-4"));
  CHECK(has_line(plain, "#SBATCH --cpus-per-task=1"));
  CHECK(has_line(plain, "#SBATCH --signal=B:USR1@300"));
  CHECK(has_line(plain, "#SBATCH --requeue"));
  CHECK(has_line(plain, "#SBATCH --open-mode=append"));
  CHECK(has_line(plain, "#SBATCH --output=\"/results/100 %%/slurm/array-%A_%a.log\""));
  for (const char* absent : {"--time=", "--mem=", "--partition=", "--account=", "--gpus-per-task=", "--device"}) {
    INFO(absent);
    CHECK(plain.find(absent) == std::string::npos);
  }
  job.at_once = 2;
  job.time = "1-0";
  job.memory = "4G";
  job.partition = "a b";
  job.account = "me";
  job.cpus_per_task = 8;
  job.threads = 3;
  const std::string full = array_script(job);
  CHECK(has_line(full, "#SBATCH --array=1-4%2"));
  for (const char* line :
       {"#SBATCH --time=\"1-0\"", "#SBATCH --mem=\"4G\"", "#SBATCH --partition=\"a b\"", "#SBATCH --account=\"me\""}) {
    INFO(line);
    CHECK(has_line(full, line));
    CHECK(has_line(report_script(job), line));
  }
  CHECK(full.find(" --jobs 2 --threads 3 ") != std::string::npos);
  job.gpus_per_task = 2;
  CHECK(has_line(array_script(job), "#SBATCH --gpus-per-task=2"));
  CHECK(array_script(job).find(" --jobs 2 --threads 3 --device cuda ") != std::string::npos);
  CHECK(report_script(job).find("gpus") == std::string::npos);
  CHECK(report_script(job).find("array=") == std::string::npos);
}

TEST_CASE("bash reads the scripts and the commands of the page") {
  const TemporaryFolder folder;
  SweepJob job = example_job();
  job.settings = {"training.seed=[1, 2]", "name=it's"};
  const std::string page = submission_page(job);
  const std::size_t begin = page.find("```sh\n") + 6;
  for (const std::string& text :
       {array_script(job), report_script(job), page.substr(begin, page.find("```\n") - begin)}) {
    write_file(folder.path() / "script", text);
    const CommandResult read = run_command({"bash", "-n", (folder.path() / "script").string()});
    INFO(text);
    CHECK(read.status == 0);
    CHECK(read.errors.empty());
  }
}

TEST_CASE("a task runs its shard with every word as it was given") {
  Task task("printf '<%s>' \"$@\"");
  task.job.settings = {"training.seed=[1, 2]", "name=it's"};
  write_file(task.folder.path() / "array.sh", array_script(task.job));
  const CommandResult ended = task.run();
  CHECK(ended.status == 0);
  CHECK(ended.output == "<run></sweeps/it's one.json><--out><" + task.job.results.string() +
                            "><--shard><3/4><--jobs><1><--threads><1><--set><training.seed=[1, 2]><--set><name=it's>");
}

TEST_CASE("before its limit a task lets the runs stop and requeues itself alone") {
  const Task task("trap 'sleep 0.2; exit 130' USR1; touch ready; while true; do sleep 0.02; done");
  const CommandResult ended = task.run(tell);
  CHECK(ended.status == 130);
  CHECK(ended.output == "Task 7_3 stops before its time limit and goes back into the queue.\nrequeue 7_3\n");
}

TEST_CASE("a second signal changes nothing") {
  const Task task("trap 'sleep 0.2; exit 130' USR1; touch ready; while true; do sleep 0.02; done");
  const CommandResult ended = task.run(std::string(tell) + "; sleep 0.1; kill -USR1 $script");
  CHECK(ended.status == 130);
  CHECK(ended.output.find("requeue 7_3\n") != std::string::npos);
}

TEST_CASE("a task whose runs end all the same is not requeued") {
  const Task task("trap 'sleep 0.2; exit 1' USR1; touch ready; while true; do sleep 0.02; done");
  const CommandResult ended = task.run(tell);
  CHECK(ended.status == 1);
  CHECK(ended.output.empty());
}

TEST_CASE("a task that somebody stops otherwise is not requeued") {
  const Task task("exit 130");
  const CommandResult ended = task.run();
  CHECK(ended.status == 130);
  CHECK(ended.output.empty());
}

TEST_CASE("a signal before the program listens requeues too, and a refusal is said") {
  const Task task("touch ready; while true; do sleep 0.02; done", "exit 1");
  const CommandResult ended = task.run(tell);
  CHECK(ended.status == 138);
  CHECK(ended.output.find("Slurm did not requeue it; submit again") != std::string::npos);
}

TEST_CASE("what Slurm or a script cannot take is refused") {
  const auto refused = [](const SweepJob& job, const std::string& sentence) {
    CHECK_THROWS_WITH(check_job(job, most_indices), sentence);
  };
  SweepJob job = example_job();
  check_job(job, most_indices);
  job.shards = 1000;
  check_job(job, most_indices);
  job.shards = 1001;
  refused(job, "--shards 1001: an array of this cluster takes 1 to 1000 tasks (MaxArraySize 1001).");
  job = example_job();
  job.threads = 4;
  refused(job, "--cpus-per-task 1: fewer than the 4 of --threads, which one run takes.");
  job.threads = 2;
  job.cpus_per_task = 6;
  job.gpus_per_task = 4;
  refused(job, "--cpus-per-task 6: a run on each of 4 GPUs takes 2 of --threads.");
  job = example_job();
  job.time = "soon";
  refused(job, "--time soon: expected MM, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS.");
  job.time = "0:09:59";
  refused(job, "--time 0:09:59: 300 seconds before the limit a task stops; at least 10 minutes.");
  job.time = "10";
  check_job(job, most_indices);
  job = example_job();
  job.account = "a\nb";
  refused(job, "--account: a control character in \"a\\nb\"; a job script takes none.");
  job = example_job();
  job.results = "/a\\b";
  CHECK_THROWS_AS(check_job(job, most_indices), Error);
}

}  // namespace
}  // namespace moe
