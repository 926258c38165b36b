// The main function of every test executable where Catch2 2 is installed; Catch2 3 brings its own.
#define CATCH_CONFIG_MAIN
#include "tests/support/catch.h"
