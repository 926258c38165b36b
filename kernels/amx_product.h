#pragma once
// bf16_product by the tile registers of Intel's AMX, which multiply 16 times as much at once.

#include "kernels/bf16_product.h"

namespace moe {

/// Whether this processor has AMX for bfloat16, and the system lets this process use it.
bool has_amx_product();

/// As bf16_product, and with its requirements but for has_bf16_product(): has_amx_product().
void amx_product(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end = {});

}  // namespace moe
