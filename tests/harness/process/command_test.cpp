#include "harness/process/command.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

TEST_CASE("a command's status and both of its streams are kept") {
  const CommandResult result = run_command({"sh", "-c", "echo out; echo err >&2; exit 5"});
  CHECK(result.status == 5);
  CHECK(result.output == "out\n");
  CHECK(result.errors == "err\n");
  CHECK(run_command({"no-such-program-anywhere"}).status == 127);
  CHECK(run_command({"sh", "-c", "kill -9 $$"}).status == 128);
}

TEST_CASE("the last line is the last with something on it") {
  CHECK(last_line("a\nb c\n\n") == "b c");
  CHECK(last_line("one") == "one");
  CHECK(last_line(" \n") == "it says nothing");
}

}  // namespace
}  // namespace moe
