#pragma once
// `moe-bench run --dry-run`: what a sweep would do.

#include "harness/sweep/sweep.h"

#include <iosfwd>

namespace moe {

/// Writes a line per run: name, parameters, training FLOPs, memory and the time on one core, measured here on a few
/// batches of each configuration. `data_errors` are reported first; runs whose data are missing are measured on made-up
/// sentences.
void describe_runs(const Sweep& sweep, const ConfigErrors& data_errors, std::ostream& out);

}  // namespace moe
