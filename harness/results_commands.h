#pragma once
// The command line of the commands on results that stand there.

#include "harness/command_line.h"

namespace moe {

/// Each adds its command to the program; `action` becomes what it does when it is the one that was given.
void add_report(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_latency(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_scale(CLI::App& app, Action& action);

}  // namespace moe
