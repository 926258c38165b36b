#include "harness/cluster_commands.h"

#include "harness/commands/number_options.h"
#include "harness/commands/slurm_command.h"

#include <cstdint>
#include <iostream>

namespace moe {
namespace {

constexpr std::int64_t most_tasks = 4'000'000;  // of MaxArraySize, Slurm takes no more
constexpr std::int64_t most_processors = 65536;

}  // namespace

void add_slurm(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("slurm", "Write a sweep as an array job of Slurm and a job for its report");
  static SlurmRequest request;
  SweepJob& job = request.job;
  command->add_option("sweep", job.sweep, "Sweep file (JSON)")->required();
  command->add_option("--out", job.results, "Folder of the results; default results/NAME");
  add_repeatable(*command, "--set", job.settings, "Replace a value or an axis: key.path=value; repeatable");
  command->add_option("--shards", job.shards, "Tasks of the array; default: one for each run, as far as Slurm allows")
      ->check(whole_number(1, most_tasks));
  command->add_option("--at-once", job.at_once, "Most tasks that run side by side; default: as many as find room")
      ->check(whole_number(1, most_tasks));
  command->add_option("--time", job.time, "Limit of each task, HH:MM:SS for example; default: the partition's");
  command->add_option("--cpus-per-task", job.cpus_per_task, "Cores of each task; each --threads of them are a run")
      ->check(whole_number(1, most_processors))
      ->capture_default_str();
  command->add_option("--threads", job.threads, "Threads of each run")
      ->check(whole_number(1, most_processors))
      ->capture_default_str();
  command->add_option("--gpus-per-task", job.gpus_per_task, "GPUs of each task, a run on each; default: none")
      ->check(whole_number(1, most_processors));
  command->add_option("--mem", job.memory, "Memory of each job, 4G for example; default: the partition's");
  command->add_option("--partition", job.partition, "Partition; default: the cluster's");
  command->add_option("--account", job.account, "Account; default: the user's");
  command->add_flag("--submit", request.submit, "Submit both jobs with sbatch and print their numbers");
  command->callback([&action] { action = [] { return run_slurm(request, std::cout, std::cerr); }; });
}

}  // namespace moe
