// Power cuts at moments that know nothing of what the program is doing.
#include "tests/harness/program.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("killed at any moment, with one or two runs side by side, a sweep gives the same results", "[slow]") {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  const fs::path sweep = folder.path() / "sweep.json";
  Json json = tiny_sweep();
  json["grid"]["strategy.router"] = {"dense", "switch-paper", "thor"};
  write_file(sweep, format_json(json));
  REQUIRE(run_program(run_arguments(sweep, folder.path() / "undisturbed")).status == 0);
  const auto expected = reproducible_files(folder.path() / "undisturbed");
  for (const std::string jobs : {"1", "2"}) {
    for (const int milliseconds : {100, 300, 600, 1000, 1500, 2000, 3000}) {
      INFO(milliseconds << " ms, --jobs " << jobs);
      const fs::path out = folder.path() / (jobs + "-" + std::to_string(milliseconds));
      const auto arguments = run_arguments(sweep, out, {"--jobs", jobs});
      for (int cut = 0; cut < 2; ++cut) {
        Program program(arguments);
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        program.kill_group();
      }
      REQUIRE(run_program(arguments).status == 0);
      CHECK(reproducible_files(out) == expected);
    }
  }
}

}  // namespace moe
