#pragma once
// Completion of the command line by the user's shell.

#include <CLI/CLI.hpp>

#include <iosfwd>

namespace moe {

/// A bash script that completes the program's subcommands, their options and file names. zsh reads it after
/// `autoload bashcompinit && bashcompinit`.
void write_bash_completion(const CLI::App& app, std::ostream& out);

}  // namespace moe
