#pragma once
// `moe-bench run --dry-run`: what a sweep would do.

#include "harness/sweep.h"

#include <iosfwd>

namespace moe {

/// Writes a line per run: name, parameters, training FLOPs and an estimate of the time on one core, from a product
/// measured here. `data_errors` are reported first; runs whose data are missing are counted with full batches.
void describe_runs(const Sweep& sweep, const ConfigErrors& data_errors, std::ostream& out);

}  // namespace moe
