#pragma once
// Which instructions of this processor our kernels may use. Asked once; everything that chooses by processor asks here.
// As oneDNN's, they stay within ONEDNN_MAX_CPU_ISA: SSE41, AVX2, AVX512_CORE, AVX512_CORE_BF16, AVX512_CORE_AMX and
// others.

namespace moe {

/// AVX2 with fused multiplications.
bool has_avx2();

/// AVX-512 F, BW, DQ and VL; such a processor has AVX2 too.
bool has_avx512();

/// Dot products of bfloat16 pairs, and AVX-512.
bool has_avx512_bf16();

/// Tile registers for bfloat16, which the system lets this process use, and AVX512_BF16.
bool has_amx_bf16();

/// Whether this processor is AMD's: MKL keeps to AVX2 there.
bool runs_on_amd();

}  // namespace moe
