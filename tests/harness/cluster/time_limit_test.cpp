#include "harness/cluster/time_limit.h"

#include "tests/support/catch.h"

#include <map>
#include <string>

namespace moe {
namespace {

TEST_CASE("a limit of time is read as Slurm reads it") {
  const std::map<std::string, std::int64_t> limits = {{"30", 1800},          {"30:05", 1805}, {"2:30:05", 9005},
                                                      {"02:00:00", 7200},    {"1-2", 93600},  {"1-2:30", 95400},
                                                      {"1-02:30:05", 95405}, {"0", 0}};
  for (const auto& [text, seconds] : limits) {
    INFO(text);
    CHECK(time_limit_seconds(text) == seconds);
  }
  for (const std::string text :
       {"", "1h", "-1", "1-", "1:2:3:4", "1-2:3:4:5", "1:", ":1", "1 2", "1-2-3", "12345678", "UNLIMITED", "1.5"}) {
    INFO(text);
    CHECK_FALSE(time_limit_seconds(text).has_value());
  }
}

}  // namespace
}  // namespace moe
