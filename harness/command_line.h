#pragma once
// What the files that declare commands share.

#include "core/error.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

namespace moe {

/// What the parsed command does.
using Action = std::function<ExitStatus()>;

/// An option that is given once for each of its values, so that what follows one can be a file of the command.
inline CLI::Option* add_repeatable(CLI::App& command, const std::string& name, auto& values, const std::string& help) {
  return command.add_option(name, values, help)->expected(1)->take_all()->allow_extra_args(false);
}

}  // namespace moe
