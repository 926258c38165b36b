#pragma once
// The products of a gate by the tile registers of Intel's AMX, in float32: a float32 is the sum of three bfloat16,
// whose products with a bfloat16 are exact in float32. Shared out between the threads; a result does not depend on how
// many there are. All require has_amx_bf16().

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

struct GateShape {
  std::int64_t tokens, width, experts;
};

/// x w^T of x [tokens, width] and w [experts, width]: [tokens, experts]. The width is even.
void amx_gate_logits(const GateShape& shape, const c10::BFloat16* x, const float* w, float* logits);

/// grad w, rounded: [tokens, width]. Both are taken with 16 bits of their mantissas, twice what the result has.
void amx_gate_state_gradients(const GateShape& shape, const float* grad_logits, const float* w, c10::BFloat16* grad_x);

/// grad^T x: [experts, width].
void amx_gate_weight_gradients(const GateShape& shape, const float* grad_logits, const c10::BFloat16* x, float* grad_w);

}  // namespace moe
