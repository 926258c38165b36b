#include "harness/commands/doctor_command.h"

#include "core/cpus.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/one_processor.h"

#include <sstream>
#include <thread>

namespace {

TEST_CASE("doctor finds what must be true on any machine") {
  std::ostringstream text;
  moe::run_doctor(/*json=*/true, text);
  const moe::Json found = moe::parse_json(text.str(), "doctor");
  CHECK(found.at("cores").get<int>() == moe::usable_cpus());
  CHECK(found.at("machine_cores").get<unsigned>() == std::thread::hardware_concurrency());
  CHECK(found.at("threads").get<int>() >= 1);
  CHECK(found.at("memory_bytes").get<double>() > 1e8);
  CHECK(found.at("libtorch").get<std::string>().rfind("2.", 0) == 0);
  CHECK(found.at("matrix_product").at("fp32").get<double>() > 0);
  CHECK(found.at("bf16").get<bool>() == found.at("matrix_product").at("bf16").is_number());
  CHECK(found.at("memory_bandwidth").get<double>() > 0);
  for (const moe::Json& thing :
       {found.at("gpu_driver"), found.at("slurm"), found.at("mpi_launcher"), found.at("nccl")}) {
    INFO(thing);
    CHECK(thing.at("version").is_null() != thing.at("absent").is_null());
  }
  CHECK(found.at("slurm").at("pmix").is_boolean());
  for (const moe::Json& gpu : found.at("gpu_driver").at("gpus")) {
    CHECK_FALSE(gpu.at("name").get<std::string>().empty());
    CHECK(gpu.at("memory_bytes").get<double>() > 1e8);
    CHECK(gpu.at("compute_capability").get<std::string>() > "3");
  }
#ifdef MOE_BENCH_CUDA
  CHECK(found.at("gpu").at("built") == true);
#else
  CHECK(found.at("gpu").at("built") == false);
  CHECK(found.at("gpu").at("devices") == 0);
#endif
}

TEST_CASE("doctor tells people the same in lines") {
  std::ostringstream text;
  moe::run_doctor(/*json=*/false, text);
  for (const char* row : {"cores", "vector extensions", "LibTorch", "product in fp32", "GPU", "GPU driver", "Slurm",
                          "MPI launcher", "NCCL", "several processes", "charts"}) {
    INFO(row);
    CHECK(text.str().find(row) != std::string::npos);
  }
}

TEST_CASE("doctor counts the processors that it may use") {
  const moe::OneProcessor tied;
  const moe::Ended ended = moe::run_program({"doctor", "--json"});
  REQUIRE(ended.status == 0);
  CHECK(moe::parse_json(ended.output, "doctor").at("cores") == 1);
}

}  // namespace
