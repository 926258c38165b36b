#include "harness/cluster/quoting.h"

#include "core/error.h"
#include "harness/process/command.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

namespace moe {
namespace {

const std::vector<std::string> awkward = {"",           "plain",  "two words", "it's", "''",    "a \"b\"",
                                          "$HOME `id`", "a\\b",   "#x",        "-n",   "*?[a]", "a;b & c|",
                                          "tab\there",  "ü → 語", "100 %",     "%j",   "\\\"",  "!!"};

TEST_CASE("bash reads a quoted text as one word, as it was") {
  for (const std::string& text : awkward) {
    INFO(text);
    const CommandResult said = run_command({"bash", "-c", "printf '<%s>' " + shell_quoted(text)});
    CHECK(said.status == 0);
    CHECK(said.output == "<" + text + ">");
  }
  CHECK(shell_quoted("it's") == R"('it'\''s')");
}

TEST_CASE("a value of sbatch stands in quotes, which nothing in it ends") {
  CHECK(sbatch_quoted("two words # x") == R"("two words # x")");
  CHECK(sbatch_quoted(R"(a"b\c)") == R"("a\"b\\c")");
}

TEST_CASE("a percent sign of a path is none of a log's pattern, and a backslash would end all patterns") {
  CHECK(log_pattern("/a 100%/%j") == "/a 100%%/%%j");
  CHECK_THROWS_WITH(log_pattern("/a\\b"),
                    "/a\\b: a path with a backslash: Slurm then replaces nothing in the names of "
                    "log files; give another --out.");
}

TEST_CASE("a text that would end a line of a script is refused") {
  check_no_control_character("--mem", "4G é");
  CHECK_THROWS_WITH(check_no_control_character("--mem", "4G\n#SBATCH --uid=0"),
                    R"(--mem: a control character in "4G\n#SBATCH --uid=0"; a job script takes none.)");
}

}  // namespace
}  // namespace moe
