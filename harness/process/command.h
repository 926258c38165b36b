#pragma once
// Another program, run to its end.

#include <string>
#include <vector>

namespace moe {

struct CommandResult {
  int status = 0;      ///< exit status; 127 when the program could not be started, 128 when a signal ended it
  std::string output;  ///< what it wrote to standard output
  std::string errors;  ///< what it wrote to standard error
};

/// Runs a program (a path, or a name to look up in PATH) with its arguments and waits for it. It reads nothing.
CommandResult run_command(const std::vector<std::string>& command);

/// Its last line with something on it, where the reason of most failures stands; "it says nothing" where there is none.
std::string last_line(const std::string& text);

}  // namespace moe
