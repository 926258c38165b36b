#include "harness/cluster/libraries.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

TEST_CASE("the number of NCCL's version is read by the rule of its age") {
  CHECK(nccl_version_text(22703) == "2.27.3");
  CHECK(nccl_version_text(20905) == "2.9.5");
  CHECK(nccl_version_text(2804) == "2.8.4");
}

}  // namespace
}  // namespace moe
