#include "kernels/gemm/pack.h"

#include "tests/kernels/matrix_views.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"

#include <torch/types.h>

namespace moe {
namespace {

using c10::BFloat16;

/// The matrix in the corner of zeros.
torch::Tensor padded(const torch::Tensor& matrix, std::int64_t rows, std::int64_t columns) {
  return torch::constant_pad_nd(matrix, {0, columns - matrix.size(1), 0, rows - matrix.size(0)});
}

/// Operand and Number as of pack_rows and pack_columns.
template <class Number, class Operand>
void check_packing(std::int64_t rows, std::int64_t columns) {
  CAPTURE(rows, columns);
  const torch::Tensor contiguous = noise({rows, columns + 3}, 0, type_of<Operand>).narrow(1, 2, columns);
  const torch::Tensor transposed = noise({columns, rows + 3}, 1, type_of<Operand>).narrow(1, 2, rows).t();
  const std::int64_t more_rows = rows + rows % 2 + 4, more_columns = columns + columns % 2 + 6;
  for (const torch::Tensor& matrix : {contiguous, transposed}) {
    const torch::Tensor expected = padded(matrix, more_rows, more_columns).to(type_of<Number>);
    torch::Tensor out = torch::full({more_rows, more_columns}, -7, type_of<Number>);
    const std::int64_t depth = columns + 3;
    pack_rows(view_of<Operand>(matrix), more_rows, depth, more_columns, out.data_ptr<Number>());
    CHECK(out.narrow(1, 0, depth).equal(expected.narrow(1, 0, depth)));
    CHECK((out.narrow(1, depth, more_columns - depth) == -7).all().item<bool>());
    pack_columns(view_of<Operand>(matrix), more_rows, more_columns, out.data_ptr<Number>());
    if (std::is_same_v<Number, float>) {
      CHECK(out.equal(expected));
    } else {
      CHECK(out.view({more_rows / 2, more_columns, 2}).transpose(1, 2).reshape_as(expected).equal(expected));
    }
  }
}

}  // namespace

TEST_CASE("packed operands are side by side, of bfloat16 columns in pairs, and padded with zeros") {
  for (const std::int64_t rows : {1, 2, 7, 16, 33}) {
    for (const std::int64_t columns : {1, 2, 15, 16, 50}) {
      check_packing<float, float>(rows, columns);
      check_packing<float, BFloat16>(rows, columns);
      check_packing<BFloat16, BFloat16>(rows, columns);
    }
  }
}

TEST_CASE("a transposed copy writes nothing behind its rows") {
  for (const std::int64_t columns : {1, 16, 37}) {
    const torch::Tensor matrix = noise({21, columns}, 0), out = torch::full({columns, 25}, -7.0F);
    transpose(matrix.const_data_ptr<float>(), columns, 21, columns, out.data_ptr<float>(), 25);
    CHECK(out.narrow(1, 0, 21).equal(matrix.t()));
    CHECK((out.narrow(1, 21, 4) == -7).all().item<bool>());
  }
}

}  // namespace moe
