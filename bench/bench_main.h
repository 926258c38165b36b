#pragma once
// What all benchmark programs start with.

#include "kernels/gemm/select.h"
#include "kernels/products_text.h"

#include <torch/types.h>

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

namespace moe {

/// Which product computes: it depends on the processor, and a fallback nobody sees would make figures incomparable.
inline std::string product_path(bool is_bf16) {
  return describe(products_of(is_bf16 ? torch::kBFloat16 : torch::kFloat32));
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
