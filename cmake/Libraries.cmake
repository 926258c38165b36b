# How our libraries are declared and compiled.

# Headers that are compiled once, of those who see LibTorch and of those who don't. <torch/torch.h>, with every module and
# optimizer, would cost each source half as much again.
set(plain_headers <nlohmann/json.hpp> <fmt/format.h> <algorithm> <filesystem> <fstream> <functional> <map> <optional> <set> <string> <vector>)
set(libtorch_headers <torch/csrc/autograd/custom_function.h> <torch/nn/module.h> <torch/types.h> <torch/utils.h>)

file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/precompiled.cpp" CONTENT "")
add_library(moe_precompiled_plain OBJECT "${PROJECT_BINARY_DIR}/generated/precompiled.cpp")
target_link_libraries(moe_precompiled_plain PRIVATE moe_options Fmt nlohmann_json::nlohmann_json)
target_precompile_headers(moe_precompiled_plain PRIVATE ${plain_headers})
add_library(moe_precompiled OBJECT "${PROJECT_BINARY_DIR}/generated/precompiled.cpp")
target_link_libraries(moe_precompiled PRIVATE moe_options LibTorch)
target_precompile_headers(moe_precompiled PRIVATE ${libtorch_headers})

# Compiles the target's sources `batch` at a time.
function(compile_in_batches target batch)
  if(MOE_BENCH_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
  endif()
endfunction()

# moe_library(NAME [FOLDERS folders...] [SOURCES more...] LINK libraries...): one library of every source directly in the
# folders, by default the current one. With LibTorch among its own LINK it is compiled with LibTorch's headers. The link
# lines are the include rules that tests/include_rules_test.py enforces.
function(moe_library name)
  cmake_parse_arguments(arg "" "" "FOLDERS;SOURCES;LINK" ${ARGN})
  if(NOT arg_FOLDERS)
    set(arg_FOLDERS .)
  endif()
  set(patterns ${arg_FOLDERS})
  list(TRANSFORM patterns PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  list(TRANSFORM patterns APPEND "/*.cpp")
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  add_library(moe_${name} STATIC ${sources} ${arg_SOURCES})
  target_link_libraries(moe_${name} PUBLIC moe_options ${arg_LINK})
  if("LibTorch" IN_LIST arg_LINK)
    target_precompile_headers(moe_${name} REUSE_FROM moe_precompiled)
  else()
    target_precompile_headers(moe_${name} REUSE_FROM moe_precompiled_plain)
  endif()
  compile_in_batches(moe_${name} 8)
endfunction()
