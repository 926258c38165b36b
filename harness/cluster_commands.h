#pragma once
// The command line of the commands for clusters.

#include "harness/command_line.h"

namespace moe {

/// Adds the command to the program; `action` becomes what it does when it is the one that was given.
void add_slurm(CLI::App& app, Action& action);

}  // namespace moe
