#include "kernels/bf16_rows.h"

#include "tests/support/catch.h"

#include <limits>

namespace moe {

TEST_CASE("rows of bfloat16 become float32 exactly, and go back as LibTorch rounds") {
  for (const std::int64_t count : {0, 1, 15, 16, 33, 100}) {
    CAPTURE(count);
    torch::Tensor values = 100 * torch::randn({count});
    if (count > 2) {
      values[0] = std::numeric_limits<float>::infinity();
      values[1] = 1.00390625F;  // halfway between two bfloat16: to the even one
    }
    torch::Tensor narrow = torch::empty({count}, torch::kBFloat16), wide = torch::empty({count});
    narrow_row(values.const_data_ptr<float>(), count, narrow.data_ptr<c10::BFloat16>());
    widen_row(narrow.const_data_ptr<c10::BFloat16>(), count, wide.data_ptr<float>());
    CHECK(narrow.equal(values.to(torch::kBFloat16)));
    CHECK(wide.equal(narrow.to(torch::kFloat32)));
  }
}

TEST_CASE("NaN stays NaN on the way to bfloat16") {
  const float value = std::numeric_limits<float>::quiet_NaN();
  c10::BFloat16 narrow = 0.0F;
  narrow_row(&value, 1, &narrow);
  CHECK(std::isnan(static_cast<float>(narrow)));
}

}  // namespace moe
