#include "harness/cluster/slurm.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

TEST_CASE("the size of arrays is found in the configuration that scontrol prints") {
  CHECK(max_array_size_in("Configuration data as of 2026\nMailProg                = /bin/mail\n"
                          "MaxArraySize            = 1001\nMaxDBDMsgs              = 20004\n") == 1001);
  CHECK(max_array_size_in("MaxArraySize=50") == 50);
  CHECK_FALSE(max_array_size_in("").has_value());
  CHECK_FALSE(max_array_size_in("MaxArraySize = many\nOtherMaxArraySize = 5\n").has_value());
}

TEST_CASE("the number of a submitted job may have the name of a cluster behind it") {
  CHECK(job_number_in("12\n") == "12");
  CHECK(job_number_in("12;north\n") == "12");
}

TEST_CASE("the plug-in of Open MPI is a line of the list") {
  CHECK(lists_pmix(
      "MPI plugin types are...\n\tpmix\n\tnone\n\tpmi2\nspecific pmix plugin versions available: pmix_v4\n"));
  CHECK_FALSE(lists_pmix("MPI plugin types are...\n\tnone\n\tpmi2\n"));
}

}  // namespace
}  // namespace moe
