#include "kernels/products_text.h"

#include "tests/support/catch.h"

namespace moe {

TEST_CASE("products are described by whose they are") {
  CHECK(describe({}) == "linear maps LibTorch's; experts and attention LibTorch's");
  CHECK(describe({Product::float32, 32, Product::pairs, true}) ==
        "linear maps ours, on fewer than 32 rows LibTorch's; experts and attention ours, in bfloat16 pairs");
}

}  // namespace moe
