#include "harness/run/gpu/gpus.h"

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace moe {
namespace {

constexpr std::string_view prefix = "cuda:";

/// A function of the driver, whose headers need not be there; null where it is missing. All return 0 for success.
template <class... Arguments>
auto find_function(void* driver, const char* name) {
  return reinterpret_cast<int (*)(Arguments...)>(dlsym(driver, name));
}

std::optional<int> parse_number(const std::string& digits) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole ? std::optional<int>(value) : std::nullopt;
}

}  // namespace

std::string VisibleGpu::title() const {
  return name.empty() ? fmt::format("GPU {}", number) : fmt::format("GPU {} ({})", number, name);
}

DeviceChoice parse_device(const std::string& text) {
  if (text == "cpu") return {};
  DeviceChoice choice{.gpu = true};
  if (text == "cuda") return choice;
  const bool listed = text.starts_with(prefix);
  for (const std::string& digits : split(listed ? text.substr(prefix.size()) : "", ',')) {
    const std::optional<int> number = parse_number(digits);
    MOE_CHECK(number, "--device: found {}, allowed is cpu, cuda, or cuda: with numbers of GPUs, as in cuda:0,2.",
              short_json(text));
    MOE_CHECK(std::find(choice.numbers.begin(), choice.numbers.end(), *number) == choice.numbers.end(),
              "--device: found {}, in which GPU {} stands twice.", short_json(text), *number);
    choice.numbers.push_back(*number);
  }
  return choice;
}

std::vector<std::string> visible_names(int count, const std::optional<std::string>& variable) {
  std::vector<std::string> names;
  if (variable) {
    names = split(*variable, ',');
    for (std::string& name : names) {
      name.erase(0, name.find_first_not_of(' '));
      name.erase(name.find_last_not_of(' ') + 1);
    }
  } else {
    for (int number = 0; number < count; ++number) names.push_back(std::to_string(number));
  }
  // CUDA reads the list up to the first entry that is none of its GPUs.
  names.resize(std::min(names.size(), static_cast<std::size_t>(count)));
  return names;
}

std::vector<VisibleGpu> visible_gpus() {
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (driver == nullptr) return {};
  const auto initialise = find_function<unsigned>(driver, "cuInit");
  const auto count_devices = find_function<int*>(driver, "cuDeviceGetCount");
  const auto name_of = find_function<char*, int, int>(driver, "cuDeviceGetName");
  const auto memory_of = find_function<std::size_t*, int>(driver, "cuDeviceTotalMem_v2");
  int count = 0;
  if (initialise == nullptr || count_devices == nullptr || name_of == nullptr || memory_of == nullptr ||
      initialise(0) != 0 || count_devices(&count) != 0) {
    return {};
  }
  const char* const variable = std::getenv("CUDA_VISIBLE_DEVICES");
  const auto names = visible_names(count, variable == nullptr ? std::nullopt : std::optional<std::string>(variable));
  std::vector<VisibleGpu> gpus;
  for (const std::string& visible : names) {
    VisibleGpu gpu{.number = static_cast<int>(gpus.size()), .visible = visible};
    std::array<char, 256> name{};
    std::size_t bytes = 0;
    if (name_of(name.data(), static_cast<int>(name.size()), gpu.number) == 0) gpu.name = name.data();
    if (memory_of(&bytes, gpu.number) == 0) gpu.memory_bytes = static_cast<std::int64_t>(bytes);
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::vector<VisibleGpu> choose_gpus(const DeviceChoice& choice, const std::vector<VisibleGpu>& visible) {
  if (visible.empty()) throw Error("--device cuda: the driver shows no GPU.", ExitStatus::machine_failed);
  if (choice.numbers.empty()) return visible;
  std::vector<VisibleGpu> chosen;
  for (const int number : choice.numbers) {
    const auto found =
        std::find_if(visible.begin(), visible.end(), [&](const VisibleGpu& gpu) { return gpu.number == number; });
    MOE_CHECK(found != visible.end(), "--device: there is no GPU {}; {}.", number,
              visible.size() == 1 ? "GPU 0 alone is visible"
                                  : fmt::format("{} are visible, 0 to {}", visible.size(), visible.size() - 1));
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace moe
