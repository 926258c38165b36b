# LibTorch from the PyPI wheel `torch`, as one imported target `LibTorch`.
#
# The wheel's own find_package(Torch) demands a CUDA toolkit even for CPU use, so the few facts that matter are
# stated here: include folders, libc10 and libtorch_cpu. CMake sets the run path to them, and another one at installation.

set(MOE_BENCH_VENV "${PROJECT_SOURCE_DIR}/.venv" CACHE PATH "Virtual environment that holds the torch wheel")
file(GLOB torch_candidates "${MOE_BENCH_VENV}/lib/python3*/site-packages/torch")
if(NOT torch_candidates)
  message(FATAL_ERROR "No torch wheel under ${MOE_BENCH_VENV}; run tools/setup first.")
endif()
list(GET torch_candidates 0 torch_root)

file(STRINGS "${torch_root}/version.py" torch_version_line REGEX "^__version__")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" MOE_BENCH_TORCH_VERSION "${torch_version_line}")

add_library(LibTorch INTERFACE)
target_include_directories(LibTorch SYSTEM INTERFACE
  "${torch_root}/include" "${torch_root}/include/torch/csrc/api/include")
# The wheel's CUDA libraries name symbols that only a full CUDA installation provides; a CPU build never calls them.
target_link_options(LibTorch INTERFACE
  -Wl,--no-as-needed -Wl,--allow-shlib-undefined)
target_link_libraries(LibTorch INTERFACE "${torch_root}/lib/libtorch_cpu.so" "${torch_root}/lib/libc10.so")
if(MOE_BENCH_CUDA)
  target_compile_definitions(LibTorch INTERFACE MOE_BENCH_CUDA=1)
  target_link_libraries(LibTorch INTERFACE "${torch_root}/lib/libtorch_cuda.so" "${torch_root}/lib/libc10_cuda.so")
endif()

# fmt comes from the wheel too: its headers stand first on the include path of every file that sees LibTorch, so a
# second version beside it could not link. The functions behind them are compiled in core/fmt.cpp.
add_library(Fmt INTERFACE)
target_include_directories(Fmt SYSTEM INTERFACE "${torch_root}/include")
