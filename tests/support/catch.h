#pragma once
// Catch2, whichever of the two packaged generations is installed: Debian 12 has 2.13, later releases 3.
#if __has_include(<c10/util/Logging.h>)
#include <c10/util/Logging.h>  // before Catch2: it has a CHECK of its own, which ends the process
#endif
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
