#include "kernels/simd/cpu_isa.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

namespace moe {
namespace {

enum class Width { below_avx2, avx2, avx512, avx512_bf16, amx };

/// The widest that the environment allows; what oneDNN does not know either is no limit.
Width width_cap() {
  const char* value = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (value == nullptr) value = std::getenv("DNNL_MAX_CPU_ISA");
  std::string name = value == nullptr ? "" : value;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  if (name == "SSE41" || name == "AVX") return Width::below_avx2;
  if (name.starts_with("AVX2")) return Width::avx2;
  if (name == "AVX512_CORE" || name == "AVX512_CORE_VNNI") return Width::avx512;
  const bool has_no_tiles = name == "AVX512_CORE_BF16" || name == "AVX512_CORE_FP16" || name == "AVX10_1_512";
  return has_no_tiles ? Width::avx512_bf16 : Width::amx;
}

bool allows(Width width) {
  static const Width cap = width_cap();
  return width <= cap;
}

/// Tile registers need the system's leave (Linux: Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

bool has_tiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned amx_bf16 = 1U << 22U, amx_tile = 1U << 24U;
  return (edx & amx_bf16) != 0 && (edx & amx_tile) != 0 && may_use_tiles();
}

}  // namespace

bool has_avx2() {
  static const bool has = allows(Width::avx2) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}

bool has_avx512() {
  static const bool has = allows(Width::avx512) && has_avx2() && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl");
  return has;
}

bool has_avx512_bf16() {
  static const bool has = allows(Width::avx512_bf16) && has_avx512() && __builtin_cpu_supports("avx512bf16");
  return has;
}

bool has_amx_bf16() {
  static const bool has = allows(Width::amx) && has_avx512_bf16() && has_tiles();
  return has;
}

bool runs_on_amd() {
  static const bool is_amd = __builtin_cpu_is("amd") != 0;
  return is_amd;
}

}  // namespace moe

#else

namespace moe {

bool has_avx2() {
  return false;
}
bool has_avx512() {
  return false;
}
bool has_avx512_bf16() {
  return false;
}
bool has_amx_bf16() {
  return false;
}
bool runs_on_amd() {
  return false;
}

}  // namespace moe

#endif
