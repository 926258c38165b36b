#include "harness/commands/doctor_command.h"

#include "core/cpus.h"
#include "core/error.h"
#include "core/text.h"
#include "harness/cluster/gpu_driver.h"
#include "harness/cluster/libraries.h"
#include "harness/cluster/slurm.h"
#include "harness/report/draw_charts.h"
#include "harness/run/device.h"
#include "harness/run/machine.h"
#include "kernels/cuda/expert_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/gemm/linear.h"
#include "kernels/gemm/select.h"
#include "kernels/products_text.h"
#include "parallel/process_group.h"

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/version.h>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace moe {

namespace {

constexpr std::int64_t matrix_size = 1024;
constexpr std::int64_t copied_floats = std::int64_t{1} << 25;  // 128 MiB, more than caches hold
constexpr int repeats = 10;

Json vector_extensions() {
  const std::vector<std::string> flags = split(processor_fact({"flags", "Features"}), ' ');
  Json found = Json::object();
  for (const char* name : {"avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"}) {
    found[name] = std::find(flags.begin(), flags.end(), name) != flags.end();
  }
  return found;
}

/// Seconds of the fastest of several calls: what the machine can do when nothing else disturbs it.
template <class Function>
double fastest(const Function& function) {
  using Clock = std::chrono::steady_clock;
  function();  // first use makes caches and kernels
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto begin = Clock::now();
    function();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

/// GFLOP/s of a product of two square matrices, as models compute it; none when LibTorch cannot multiply in this type
/// here.
std::optional<double> matrix_product_peak(torch::Dtype dtype) {
  try {
    const auto a = torch::ones({matrix_size, matrix_size}, dtype);
    const auto b = torch::ones({matrix_size, matrix_size}, dtype);
    auto product = torch::empty({matrix_size, matrix_size}, dtype);
    const double seconds = fastest([&] { gemm_out(product, a, b); });
    return 2.0 * matrix_size * matrix_size * matrix_size / seconds / 1e9;
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

/// GB/s of a copy, reading and writing counted.
double memory_bandwidth() {
  const auto from = torch::ones({copied_floats});
  auto to = torch::empty({copied_floats});
  return 2.0 * static_cast<double>(copied_floats) * sizeof(float) / fastest([&] { to.copy_(from); }) / 1e9;
}

std::optional<std::string> why_no_charts() {
  std::string folder = (std::filesystem::temp_directory_path() / "moe-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw_system_error(folder, "make this folder");
  const auto reason = draw_charts(folder);  // no chart in it: the renderer is loaded, and draws nothing
  std::filesystem::remove(folder);
  return reason;
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

/// What is there, or why it is not.
template <class Facts>
Json found_or_absent(const Facts& facts) {
  return {{"version", text_or_null(facts.version)}, {"absent", text_or_null(facts.absent)}};
}

Json driver_facts() {
  const GpuDriver driver = ask_gpu_driver();
  Json gpus = Json::array();
  for (const Gpu& gpu : driver.gpus) {
    gpus.push_back({{"name", gpu.name},
                    {"memory_bytes", gpu.memory_bytes},
                    {"compute_capability", fmt::format("{}.{}", gpu.capability_major, gpu.capability_minor)}});
  }
  Json found = found_or_absent(driver);
  found["gpus"] = gpus;
  return found;
}

Json slurm_facts() {
  const SlurmFacts slurm = find_slurm();
  Json found = found_or_absent(slurm);
  found["pmix"] = slurm.pmix;
  return found;
}

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}

std::string describe_extensions(const Json& extensions) {
  std::vector<std::string> present;
  for (const auto& [name, value] : extensions.items()) {
    if (value.get<bool>()) present.push_back(name);
  }
  return present.empty() ? "none of avx2, avx512, amx" : join(present, ", ");
}

std::string describe_cores(int usable, int all) {
  return usable < all ? fmt::format("{} of {}; affinity or a CPU quota allows no more", usable, all)
                      : std::to_string(usable);
}

std::string describe_gpu(const Json& gpu) {
  if (!gpu.at("built").get<bool>()) return "not in this build (CMake preset cuda)";
  const std::string name = gpu.at("name").get<std::string>();
  const int devices = gpu.at("devices").get<int>();
  std::string seen =
      fmt::format("CUDA is in this build, {} visible{}", devices, name.empty() ? "" : ", the first " + name);
  if (devices == 0) return seen;
  return fmt::format("{}; {}; experts in bf16 {}", seen,
                     gpu.at("own_kernels").get<bool>() ? "kernels of ours" : "LibTorch's operations",
                     gpu.at("grouped_bf16").get<bool>() ? "by one grouped product" : "one after the other");
}

std::string describe(const Json& found) {
  return found.at(found.at("version").is_null() ? "absent" : "version").get<std::string>();
}

std::string describe_device(const Json& gpu) {
  return fmt::format("{}, {:.1f} GiB, compute capability {}", gpu.at("name").get<std::string>(),
                     gpu.at("memory_bytes").get<double>() / (1U << 30U),
                     gpu.at("compute_capability").get<std::string>());
}

std::string describe_slurm(const Json& slurm) {
  if (slurm.at("version").is_null()) return describe(slurm);
  return fmt::format("{}, {}", describe(slurm),
                     slurm.at("pmix").get<bool>() ? "with the pmix plug-in" : "without the pmix plug-in");
}

}  // namespace

Json examine_machine() {
  const auto fp32 = matrix_product_peak(torch::kFloat32);
  const auto bf16 = matrix_product_peak(torch::kBFloat16);
  const auto charts = why_no_charts();
#ifdef MOE_BENCH_CUDA
  const bool has_gpu = torch::cuda::is_available();
  const bool own_kernels = cuda::kernels_are_wanted();
  const Json gpu = {{"built", true},
                    {"devices", has_gpu ? torch::cuda::device_count() : 0},
                    {"name", device_name("cuda")},
                    {"own_kernels", own_kernels},
                    {"grouped_bf16", has_gpu && own_kernels && cuda::has_grouped_bf16(torch::kCUDA)}};
#else
  const Json gpu = {{"built", false}, {"devices", 0}, {"name", ""}, {"own_kernels", false}, {"grouped_bf16", false}};
#endif
  return {{"processor", processor_fact({"model name"})},
          {"cores", usable_cpus()},
          {"machine_cores", std::thread::hardware_concurrency()},
          {"memory_bytes", sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE)},
          {"vector_extensions", vector_extensions()},
          {"libtorch", TORCH_VERSION},
          {"threads", at::get_num_threads()},
          {"bf16", bf16.has_value()},
          {"products_by",
           {{"fp32", describe(products_of(torch::kFloat32))}, {"bf16", describe(products_of(torch::kBFloat16))}}},
          {"matrix_product", {{"fp32", fp32.value_or(0)}, {"bf16", bf16 ? Json(*bf16) : Json()}}},
          {"memory_bandwidth", memory_bandwidth()},
          {"gpu", gpu},
          {"mpi", mpi_library()},
          {"gpu_driver", driver_facts()},
          {"slurm", slurm_facts()},
          {"mpi_launcher", found_or_absent(find_mpi_launcher())},
          {"nccl", found_or_absent(find_nccl())},
          {"charts", charts ? Json(*charts) : Json()}};
}

void run_doctor(bool json, std::ostream& out) {
  const Json found = examine_machine();
  if (json) {
    out << format_json(found);
    return;
  }
  const auto row = [&](const std::string& name, const std::string& value) {
    out << fmt::format("{:<20}{}\n", name, value);
  };
  const auto rate = [](const Json& value) {
    return value.is_null() ? "does not work" : fmt::format("{:.0f} GFLOP/s", value.get<double>());
  };
  const std::string processor = found.at("processor").get<std::string>();
  row("processor", processor.empty() ? "unknown" : processor);
  row("cores", describe_cores(found.at("cores").get<int>(), found.at("machine_cores").get<int>()));
  row("memory", fmt::format("{:.1f} GiB", found.at("memory_bytes").get<double>() / (1U << 30U)));
  row("vector extensions", describe_extensions(found.at("vector_extensions")));
  row("LibTorch",
      fmt::format("{}, {} threads", found.at("libtorch").get<std::string>(), found.at("threads").get<int>()));
  row("bf16", yes_no(found.at("bf16").get<bool>()));
  for (const std::string type : {"fp32", "bf16"}) {
    row("product in " + type, rate(found.at("matrix_product").at(type)));
    row("", found.at("products_by").at(type).get<std::string>());
  }
  row("memory bandwidth", fmt::format("{:.1f} GB/s", found.at("memory_bandwidth").get<double>()));
  row("GPU", describe_gpu(found.at("gpu")));
  row("GPU driver", describe(found.at("gpu_driver")));
  const Json& devices = found.at("gpu_driver").at("gpus");
  for (std::size_t i = 0; i < devices.size(); ++i) row(fmt::format("GPU {}", i), describe_device(devices[i]));
  row("Slurm", describe_slurm(found.at("slurm")));
  row("MPI launcher", describe(found.at("mpi_launcher")));
  row("NCCL", describe(found.at("nccl")));
  const std::string mpi = found.at("mpi").get<std::string>();
  row("several processes", mpi.empty() ? "not in this build (Open MPI was not found)" : "mpirun -n N, " + mpi);
  row("charts", found.at("charts").is_null() ? "can be drawn" : found.at("charts").get<std::string>());
}

}  // namespace moe
