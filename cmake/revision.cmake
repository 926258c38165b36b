# Writes the source revision into a header, only when it changed. Called at every build, so that a result never names an
# older revision than the code that made it.
execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY "${SOURCE_DIR}"
  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
  set(revision "unknown")
endif()
file(CONFIGURE OUTPUT "${HEADER}" CONTENT
  "#pragma once\n#define MOE_BENCH_VERSION \"${VERSION}\"\n#define MOE_BENCH_REVISION \"${revision}\"\n")
