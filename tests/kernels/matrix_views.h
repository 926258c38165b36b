#pragma once
// Tensors as the operands of our products.

#include "kernels/gemm/matrix_view.h"

#include <torch/types.h>

namespace moe {

template <class Scalar>
constexpr auto type_of = c10::CppTypeToScalarType<Scalar>::value;

template <class Scalar>
BasicMatrixView<Scalar> view_of(const torch::Tensor& matrix) {
  return {matrix.const_data_ptr<Scalar>(), matrix.size(0), matrix.size(1), matrix.stride(0), matrix.stride(1)};
}

}  // namespace moe
