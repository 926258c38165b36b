#pragma once
// `moe-bench tune`: the same settings for every strategy, compared on the validation set.

#include "harness/commands/run_command.h"

#include <iosfwd>

namespace moe {

/// Runs the trials of the sweep's `tune` section and writes FOLDER/tuning.json, with every trial and the best setting
/// of each strategy, and FOLDER/tuned.json, the sweep with these as `overrides`; FOLDER is request.out, or
/// results/NAME/tuning. Returns what run_sweep returns. A trial that failed is listed with its reason and is not
/// chosen; throws Error (runs_failed) where that leaves a strategy without a setting. While a trial is missing
/// (--shard) the two files are not written.
ExitStatus tune_sweep(const RunRequest& request, std::ostream& out);

}  // namespace moe
