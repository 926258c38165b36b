#pragma once
// What all benchmark programs start with.

#include "kernels/gemm/amx_gemm.h"
#include "kernels/gemm/bf16_gemm.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/linear.h"
#include "kernels/simd/cpu_isa.h"

#include <benchmark/benchmark.h>

#include <string_view>

namespace moe {

/// Which product computes: it depends on the processor, and a fallback nobody sees would make figures incomparable.
inline const char* product_path(bool is_bf16) {
  if (is_bf16 && has_amx_bf16()) return "own bfloat16 product, by AMX";
  if (has_own_gemm(is_bf16 ? torch::kBFloat16 : torch::kFloat32))
    return is_bf16 ? "own bfloat16 product, by float32" : "own float32 product";
  if (!is_bf16) return has_avx2() ? "LibTorch's float32 product, own on few rows" : "LibTorch's float32 product";
  return has_avx512_bf16() ? "LibTorch's bfloat16 product, own on few rows" : "LibTorch's bfloat16 product";
}

template <class Register>
int run_benchmarks(int argc, char** argv, Register register_all) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

/// Runs them, or, for a program that can, writes its case to the file of --dump=FILE and measures nothing.
template <class Register, class Dump>
int run_benchmarks(int argc, char** argv, Register register_all, Dump dump) {
  constexpr std::string_view option = "--dump=";
  if (argc == 2 && std::string_view(argv[1]).starts_with(option)) {
    dump(argv[1] + option.size());
    return 0;
  }
  return run_benchmarks(argc, argv, register_all);
}

}  // namespace moe
