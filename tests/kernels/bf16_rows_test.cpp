#include "kernels/simd/bf16_rows.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"

#include <limits>

namespace moe {

TEST_CASE("rows of bfloat16 become float32 exactly, and go back as LibTorch rounds") {
  for (const std::int64_t count : {0, 1, 15, 16, 33, 64, 100}) {
    CAPTURE(count);
    constexpr std::int64_t rows = 3, gap = 5;
    torch::Tensor values = 100 * noise({rows, count}, 0);
    if (count > 2) {
      values[0][0] = std::numeric_limits<float>::infinity();
      values[2][1] = 1.00390625F;  // halfway between two bfloat16: to the even one
    }
    torch::Tensor workspace = torch::full({rows, count + gap}, -7.0F, torch::kBFloat16),
                  wide = torch::empty({rows, count});
    narrow_rows(values.const_data_ptr<float>(), count, rows, count, workspace.data_ptr<c10::BFloat16>(), count + gap);
    widen_rows(workspace.const_data_ptr<c10::BFloat16>(), count + gap, rows, count, wide.data_ptr<float>());
    CHECK(workspace.narrow(1, 0, count).equal(values.to(torch::kBFloat16)));
    CHECK((workspace.narrow(1, count, gap) == -7).all().item<bool>());
    CHECK(wide.equal(values.to(torch::kBFloat16).to(torch::kFloat32)));
  }
}

TEST_CASE("NaN stays NaN on the way to bfloat16") {
  const float value = std::numeric_limits<float>::quiet_NaN();
  c10::BFloat16 narrow = 0.0F;
  narrow_row(&value, 1, &narrow);
  CHECK(std::isnan(static_cast<float>(narrow)));
}

}  // namespace moe
