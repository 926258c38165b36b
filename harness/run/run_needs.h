#pragma once
// How much memory and work a run needs, told from its sizes, and how many runs that leaves room for.

#include "harness/sweep/run_spec.h"

#include <cstdint>
#include <vector>

namespace moe {

/// Resident memory of a run in training, in bytes: weights, gradients and moments, the sum for the mean of weights, the
/// states that the backward pass needs and one table of logits, and the program itself. Errs upwards.
std::int64_t expected_memory(const RunSpec& spec);

/// Of its training, roughly: full batches, and as many experts for every token as the router's layout says. To tell
/// long runs from short ones.
double expected_flops(const RunSpec& spec);

/// What can be had without swapping: the machine's MemAvailable, or what the control group still allows if that is
/// less.
std::int64_t available_memory();

/// Runs side by side in `memory` bytes: `most`, as far as the largest of them fit together, and at least one.
int runs_that_fit(const std::vector<RunSpec>& runs, std::int64_t memory, int most);

/// Runs side by side on this machine's processor: one on every `threads` cores that the process can use, as far as they
/// fit into memory.
int default_jobs(const std::vector<RunSpec>& runs, int threads);

}  // namespace moe
