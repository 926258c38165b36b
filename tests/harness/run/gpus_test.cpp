#include "harness/run/gpu/gpus.h"

#include "core/error.h"
#include "harness/run/gpu/rank_gpu.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <functional>

namespace moe {
namespace {

using Names = std::vector<std::string>;

std::string error_of(const std::function<void()>& work, ExitStatus status = ExitStatus::request_wrong) {
  try {
    work();
  } catch (const Error& error) {
    CHECK(error.status() == status);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a device is the CPU, all GPUs, or some of them in an order") {
  CHECK_FALSE(parse_device("cpu").gpu);
  CHECK(parse_device("cuda").gpu);
  CHECK(parse_device("cuda").numbers.empty());
  CHECK(parse_device("cuda:0").numbers == std::vector<int>{0});
  CHECK((parse_device("cuda:2,0").numbers == std::vector<int>{2, 0}));
}

TEST_CASE("what is no device is refused with what was found") {
  for (const std::string text : {"", "gpu", "cuda:", "cuda0", "cuda:a", "cuda:0,", "cuda:,1", "cuda:-1", "cuda:1.5",
                                 "cuda: 1", "cuda:99999999999", "cpu:0", "CUDA"}) {
    CHECK(names(error_of([&] { parse_device(text); }), {"--device: found \"" + text + "\"", "cpu, cuda", "cuda:0,2"}));
  }
  CHECK(error_of([] { parse_device("cuda:0,0"); }) == "--device: found \"cuda:0,0\", in which GPU 0 stands twice.");
}

TEST_CASE("GPUs keep the names that the user gave them in CUDA_VISIBLE_DEVICES") {
  CHECK((visible_names(2, std::nullopt) == Names{"0", "1"}));
  CHECK((visible_names(2, "2,3") == Names{"2", "3"}));
  CHECK((visible_names(1, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6") ==
         Names{"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"}));
  CHECK((visible_names(2, "3, MIG-1") == Names{"3", "MIG-1"}));
  CHECK((visible_names(1, "1,-1,2") == Names{"1"}));  // the driver counts up to the first that is none
  CHECK(visible_names(0, "").empty());
  CHECK(visible_names(0, std::nullopt).empty());
}

TEST_CASE("numbers of GPUs count those that are visible") {
  const std::vector<VisibleGpu> visible = {{.number = 0, .visible = "2"}, {.number = 1, .visible = "3"}};
  CHECK(choose_gpus(parse_device("cuda"), visible).size() == 2);
  const std::vector<VisibleGpu> chosen = choose_gpus(parse_device("cuda:1,0"), visible);
  REQUIRE(chosen.size() == 2);
  CHECK(chosen[0].visible == "3");
  CHECK(chosen[1].visible == "2");
  CHECK(error_of([&] { choose_gpus(parse_device("cuda:7"), visible); }) ==
        "--device: there is no GPU 7; 2 are visible, 0 to 1.");
  CHECK(error_of([&] { choose_gpus(parse_device("cuda:0,1"), {visible[0]}); }) ==
        "--device: there is no GPU 1; GPU 0 alone is visible.");
  CHECK(names(error_of([&] { choose_gpus(parse_device("cuda"), {}); }, ExitStatus::machine_failed),
              {"--device cuda: ", "no GPU"}));
}

TEST_CASE("a GPU is called by its number and the driver's name") {
  CHECK((VisibleGpu{.number = 1, .name = "Example"}.title() == "GPU 1 (Example)"));
  CHECK(VisibleGpu{}.title() == "GPU 0");
}

TEST_CASE("ranks of a machine have a GPU each, of those that are chosen and visible") {
  CHECK(gpu_of_rank({.gpu = true}, 0, std::nullopt) == "0");
  CHECK(gpu_of_rank({.gpu = true}, 3, std::nullopt) == "3");
  CHECK(gpu_of_rank({.gpu = true}, 1, "2,3") == "3");
  CHECK(gpu_of_rank({.gpu = true, .numbers = {2, 0}}, 0, std::nullopt) == "2");
  CHECK(gpu_of_rank({.gpu = true, .numbers = {1, 0}}, 1, "GPU-a,GPU-b") == "GPU-a");
  CHECK(gpu_of_rank({.gpu = true}, 3, "5") == "5");  // as a launcher shows each rank its own

  const auto refused = [](const DeviceChoice& choice, int rank, const std::optional<std::string>& variable) {
    return error_of([&] { gpu_of_rank(choice, rank, variable); }, ExitStatus::machine_failed);
  };
  CHECK(names(refused({.gpu = true, .numbers = {1}}, 0, "5"), {"--device", "CUDA_VISIBLE_DEVICES names 1"}));
  CHECK(names(refused({.gpu = true}, 2, "4,5"), {"--device", "rank 2", "CUDA_VISIBLE_DEVICES names 2"}));
  CHECK(names(refused({.gpu = true, .numbers = {0}}, 1, std::nullopt), {"--device", "rank 1", "the option names 1"}));
}

}  // namespace moe
