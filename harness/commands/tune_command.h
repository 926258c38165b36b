#pragma once
// `moe-bench tune`: the same settings for every strategy, compared on the validation set.

#include "harness/commands/run_command.h"

#include <iosfwd>

namespace moe {

/// Runs the trials of the sweep's `tune` section and writes FOLDER/tuning.json, with every trial and the best setting
/// of each strategy, and FOLDER/tuned.json, the sweep with these as `overrides`; FOLDER is request.out, or
/// results/NAME/tuning. Returns what run_sweep returns; with a trial that failed or is still missing (--shard) the two
/// files are not written.
ExitStatus tune_sweep(const RunRequest& request, std::ostream& out);

}  // namespace moe
