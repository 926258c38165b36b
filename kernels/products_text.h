#pragma once

#include "kernels/gemm/select.h"

#include <string>

namespace moe {

/// For people: as "linear maps ours, on fewer than 32 rows LibTorch's; experts and attention ours".
std::string describe(const Products& products);

}  // namespace moe
