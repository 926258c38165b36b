# nvcc for kernels/cuda, and the runtime library that LibTorch brings: two of them in one process would each have its own
# idea of the current device.

if(NOT CMAKE_CUDA_COMPILER)
  find_program(nvcc NAMES nvcc HINTS ENV CUDACXX ENV CUDA_PATH PATH_SUFFIXES bin PATHS /usr/local/cuda/bin)
  if(NOT nvcc)
    message(FATAL_ERROR "MOE_BENCH_CUDA needs nvcc, which is not on PATH: install the CUDA toolkit, or set CUDACXX.")
  endif()
  set(CMAKE_CUDA_COMPILER "${nvcc}" CACHE FILEPATH "nvcc")
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100 CACHE STRING "Compute capabilities that kernels are compiled for")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()

get_filename_component(site_packages "${torch_root}" DIRECTORY)
file(GLOB cuda_runtimes "${site_packages}/nvidia/*/lib/libcudart.so.*" "${torch_root}/lib/libcudart*.so*")
file(GLOB cublas "${site_packages}/nvidia/*/lib/libcublas.so.*" "${torch_root}/lib/libcublas*.so*")  # plain setup has none
if(NOT cuda_runtimes OR NOT cublas OR NOT EXISTS "${torch_root}/lib/libtorch_cuda.so")
  message(FATAL_ERROR "${MOE_BENCH_VENV} lacks the CUDA side of LibTorch; run tools/setup --cuda.")
endif()
list(GET cuda_runtimes 0 cuda_runtime)
add_library(CudaRuntime INTERFACE)
target_link_libraries(CudaRuntime INTERFACE "${cuda_runtime}")
