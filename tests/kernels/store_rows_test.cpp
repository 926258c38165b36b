#include "kernels/simd/store_rows.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"

#include <torch/types.h>

#include <limits>

namespace moe {
namespace {

/// Where whole lines are written, and where rows begin or end within them.
template <class Scalar>
void check_rows(std::int64_t columns, std::int64_t to_stride, std::int64_t offset, bool stream) {
  CAPTURE(columns, to_stride, offset, stream);
  const auto type = c10::CppTypeToScalarType<Scalar>::value;
  constexpr std::int64_t rows = 3, gap = 5;
  torch::Tensor values = 100 * noise({rows, columns + gap}, 0);
  if (columns > 1) {
    values[1][0] = std::numeric_limits<float>::quiet_NaN();
    values[2][1] = 1.00390625F;  // halfway between two bfloat16: to the even one
  }
  const torch::Tensor out = torch::full({rows * to_stride + offset}, -7, type);
  store_rows(values.const_data_ptr<float>(), columns + gap, rows, columns, out.data_ptr<Scalar>() + offset, to_stride,
             stream);
  const torch::Tensor written = out.narrow(0, offset, rows * to_stride).view({rows, to_stride});
  CHECK(written.narrow(1, 0, columns).allclose(values.narrow(1, 0, columns).to(type), 0, 0, /*equal_nan=*/true));
  if (offset > 0) CHECK(out[0].template item<float>() == -7);
  CHECK((written.narrow(1, columns, to_stride - columns) == -7).all().item<bool>());
}

}  // namespace

TEST_CASE("rows are stored as they are or rounded, into the caches or past them, and nothing beside them") {
  for (const std::int64_t columns : {0, 1, 16, 33, 64, 160}) {
    for (const std::int64_t more : {0, 5, 32}) {
      for (const std::int64_t offset : {0, 1}) {
        for (const bool stream : {false, true}) {
          check_rows<float>(columns, columns + more, offset, stream);
          check_rows<c10::BFloat16>(columns, columns + more, offset, stream);
        }
      }
    }
  }
}

}  // namespace moe
