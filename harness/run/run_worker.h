#pragma once
// One run: train, validate, checkpoint, score, write the result; in a process of its own or by ranks that share it.

#include "core/error.h"
#include "core/json.h"
#include "parallel/communicator.h"

#include <filesystem>
#include <functional>
#include <string>

namespace moe {

struct WorkerRequest {
  std::filesystem::path run_folder;  ///< holds config.json and vocabulary.model, and inputs.json if a sweep made it
  std::string device = "cpu";        ///< cpu | cuda
  int threads = 1;
  int jobs = 1;                    ///< runs side by side with this one, itself counted: what was measured then
  bool profile = false;            ///< record in the result where the time of training goes (training/phase_profile.h)
  double checkpoint_seconds = 60;  ///< between checkpoints that no validation asks for
  bool spread_experts = false;     ///< over the ranks that share the run, if there are several
};

/// Hears of the progress of a run: messages of harness/process/progress.h.
using ProgressListener = std::function<void(const Json&)>;

/// Runs what is missing of the run, from its checkpoint if there is one. Returns success, or interrupted after a signal
/// (harness/process/stop_signal.h) and a checkpoint. Called by all ranks alike, of which the first one alone
/// writes files and is listened to; all return the same. When the run fails all throw Error; what else one rank throws,
/// and Error (machine_failed), the others may not know of.
ExitStatus execute_run(const WorkerRequest& request, Communicator& ranks, const ProgressListener& listener);

/// execute_run by a process of its own, which has the run's folder for itself, hears signals, and writes its progress
/// to standard output, a JSON object a line.
ExitStatus run_worker(const WorkerRequest& request);

}  // namespace moe
