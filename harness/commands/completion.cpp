#include "harness/commands/completion.h"

#include "core/text.h"

#include <fmt/format.h>

#include <ostream>
#include <string>
#include <vector>

namespace moe {
namespace {

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

void write_bash_completion(const CLI::App& app, std::ostream& out) {
  std::vector<std::string> commands;
  std::string cases;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;  // not for people
    commands.push_back(command->get_name());
    cases += fmt::format("    {}) options=\"{}\" ;;\n", command->get_name(), join(option_names(*command), " "));
  }
  out << "_moe_bench() {\n"
         "  local word=\"${COMP_WORDS[COMP_CWORD]}\" options\n"
         "  case \"${COMP_WORDS[1]}\" in\n"
      << cases << "    *) options=\"" << join(commands, " ") << " " << join(option_names(app), " ")
      << "\" ;;\n"
         "  esac\n"
         "  if [[ $COMP_CWORD -eq 1 || $word == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _moe_bench moe-bench\n";
}

}  // namespace moe
