#pragma once
// One run in a process of its own: train, validate, checkpoint, score, write the result.

#include "core/error.h"

#include <filesystem>
#include <string>

namespace moe {

struct WorkerRequest {
  std::filesystem::path run_folder;  ///< holds config.json and vocabulary.model, and inputs.json if a sweep made it
  std::string device = "cpu";        ///< cpu | cuda
  int threads = 1;
  bool profile = false;            ///< record in the result where the time of training goes (training/phase_profile.h)
  double checkpoint_seconds = 60;  ///< between checkpoints that no validation asks for
};

/// Runs what is missing of the run, from its checkpoint if there is one. Progress goes to standard output, a JSON
/// object a line (harness/process/progress.h). Returns success, or interrupted after a signal and a checkpoint. Throws
/// Error when the run fails.
ExitStatus run_worker(const WorkerRequest& request);

}  // namespace moe
