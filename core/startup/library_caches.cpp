// Bounds the caches that LibTorch's product library, oneDNN, and LibTorch's layer above it fill with a compiled kernel
// and its memory for every new shape of a batch: 1,024 entries each by default, gigabytes in a run of ever-changing
// shapes. Both read their capacity from the environment when they are first used, so it is set before main(). What the
// user has set stays.

#include <cstdlib>

namespace {

[[gnu::constructor]] void bound_library_caches() {
  ::setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16", 0);
  ::setenv("LRU_CACHE_CAPACITY", "16", 0);
}

}  // namespace
