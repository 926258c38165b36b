#pragma once
// What products by the tile registers of Intel's AMX share.
//
// A tile holds 16 rows of 64 bytes: sums of 16 by 16 in float32, 16 rows of a with 16 pairs, or 16 pairs of b for 16
// columns. Four tiles of sums, a square, take in two of a and two of b at a time, a step of the summed index. Operands
// are copied tile by tile in the order in which they are read, with zeros behind the summed index.

#include "kernels/gemm/bf16_operands.h"
#include "kernels/gemm/vnni_layout.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#if defined(MOE_HAS_X86_CODE) && defined(__linux__)
#define MOE_HAS_AMX_CODE 1
#define MOE_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,amx-tile,amx-bf16")))

namespace moe::amx {

inline constexpr std::int64_t lanes = 16;                   ///< rows of a tile, and pairs or float32 in a row of it
inline constexpr std::int64_t side = 2 * lanes;             ///< of the square of sums, and summed elements of a step
inline constexpr std::int64_t tile_pairs = lanes * lanes;   ///< in a tile
inline constexpr std::int64_t step_pairs = 2 * tile_pairs;  ///< of an operand

/// How many sides hold `count`, one at least.
constexpr std::int64_t sides(std::int64_t count) {
  return std::max((count + side - 1) / side, std::int64_t{1});
}

/// The memory of LDTILECFG: all eight tiles have their full size.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0;
  std::array<std::uint8_t, 14> reserved{};
  std::array<std::uint16_t, 16> row_bytes{64, 64, 64, 64, 64, 64, 64, 64};
  std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

/// The tile registers are the calling thread's as long as this lives.
class TileScope {
 public:
  MOE_AMX TileScope() { _tile_loadconfig(&configuration_); }
  MOE_AMX ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;

 private:
  TileConfiguration configuration_;
};

/// A mask of the first `count` of the 32 elements of a row of a tile, or of all.
inline __mmask32 first_elements(std::int64_t count) {
  return static_cast<__mmask32>((std::uint64_t{1} << std::min(count, side)) - 1U);
}

/// Rows of a: [rows / 32, steps, 2, 16 rows, 16 pairs]. Rows that are missing are left as they are.
MOE_AMX inline void copy_rows(const Bf16View& a, std::int64_t steps, std::uint32_t* out) {
  const auto place = [&](std::int64_t r) { return out + r / side * steps * step_pairs + r % side * lanes; };
  if (a.column_stride == 1) {
    for (std::int64_t r = 0; r < a.rows; ++r) {
      const c10::BFloat16* row = a.data + r * a.row_stride;
      std::uint32_t* to = place(r);
      for (std::int64_t k = 0; k < steps; ++k, row += side, to += step_pairs) {
        __builtin_prefetch(row + 8 * a.row_stride, 0, 2);
        _mm512_storeu_si512(to, _mm512_maskz_loadu_epi16(first_elements(a.columns - k * side), row));
      }
    }
    return;
  }
  alignas(64) std::array<std::uint32_t, tile_pairs> turned{};
  for (std::int64_t k = 0; k < steps; ++k) {
    const std::int64_t depth = std::min(side, a.columns - k * side);
    for (std::int64_t r = 0; r < a.rows; r += lanes) {
      const c10::BFloat16* from = a.data + k * side * a.column_stride + r;
      for (std::int64_t i = r / lanes % 2; i < side; i += 2)
        __builtin_prefetch(from + (side + i) * a.column_stride, 0, 2);
      pack_vnni(from, depth, a.column_stride, std::min(lanes, a.rows - r), turned.data(), lanes);
      transpose_block(reinterpret_cast<const float*>(turned.data()), lanes, (depth + 1) / 2, tail_mask(a.rows - r),
                      reinterpret_cast<float*>(place(r) + k * step_pairs), lanes);
    }
  }
}

/// Distance between packed panels of B: their size and a little more, so that not all of them start in the same sets of
/// the L1 cache.
constexpr std::int64_t strip_pairs(std::int64_t steps) {
  return steps * step_pairs + 2 * lanes;
}

/// Columns of b: [columns / 32, steps, 2, 16 pairs, 16 columns], read row by row.
MOE_AMX inline void copy_columns(const Bf16View& b, std::int64_t steps, std::uint32_t* out) {
  const std::int64_t strip = strip_pairs(steps);
  if (b.column_stride != 1) {
    for (std::int64_t c = 0; c < b.columns; c += lanes) {
      std::uint32_t* tile = out + c / side * strip + c % side * lanes;
      const auto* from = reinterpret_cast<const float*>(b.data + c * b.column_stride);
      if (b.rows % side != 0) std::fill_n(tile + (steps - 1) * step_pairs, tile_pairs, 0U);
      for (std::int64_t k = 0; k < steps; ++k, tile += step_pairs, from += lanes) {
        for (std::int64_t i = 0; i < lanes; ++i) __builtin_prefetch(from + (lanes + i) * (b.column_stride / 2), 0, 2);
        transpose_block(from, b.column_stride / 2, b.columns - c, tail_mask(b.rows / 2 - k * lanes),
                        reinterpret_cast<float*>(tile), lanes);
      }
    }
    return;
  }
  // Which of the elements of two rows, 0 to 31 and 32 to 63, make the pairs of the left 16 columns and of the right.
  const __m512i left =
      _mm512_setr_epi32(0x200000, 0x210001, 0x220002, 0x230003, 0x240004, 0x250005, 0x260006, 0x270007, 0x280008,
                        0x290009, 0x2A000A, 0x2B000B, 0x2C000C, 0x2D000D, 0x2E000E, 0x2F000F);
  const __m512i right = _mm512_add_epi32(left, _mm512_set1_epi32(0x100010));
  for (std::int64_t k = 0; k < steps * side; k += 2) {
    const c10::BFloat16 *first = b.data + k * b.row_stride, *second = first + b.row_stride;
    std::uint32_t* row = out + k / side * step_pairs + k % side / 2 * lanes;
    for (std::int64_t c = 0; c < b.columns; c += side, row += strip) {
      __builtin_prefetch(first + side * b.row_stride + c, 0, 2);
      __builtin_prefetch(second + side * b.row_stride + c, 0, 2);
      const __mmask32 mask = first_elements(b.columns - c);
      const __m512i upper = _mm512_maskz_loadu_epi16(k < b.rows ? mask : __mmask32{0}, first + c);
      const __m512i lower = _mm512_maskz_loadu_epi16(k + 1 < b.rows ? mask : __mmask32{0}, second + c);
      _mm512_storeu_si512(row, _mm512_permutex2var_epi16(upper, left, lower));
      _mm512_storeu_si512(row + tile_pairs, _mm512_permutex2var_epi16(upper, right, lower));
    }
  }
}

/// Up to 32 rows of a: a copy in tiles, or whole tiles where they lie.
struct RowTiles {
  const char* data = nullptr;
  std::size_t row_bytes = lanes * sizeof(std::uint32_t);
  std::size_t half_bytes = tile_pairs * sizeof(std::uint32_t);  ///< from the first 16 rows to the others
  std::size_t step_bytes = step_pairs * sizeof(std::uint32_t);
  std::size_t ahead_bytes = 0;  ///< to rows that are fetched meanwhile

  static RowTiles copied(const std::uint32_t* rows) { return {reinterpret_cast<const char*>(rows)}; }
  static RowTiles in_place(const Bf16View& a, std::int64_t row, bool fetches_ahead) {
    const auto row_bytes = static_cast<std::size_t>(a.row_stride) * sizeof(c10::BFloat16);
    return {reinterpret_cast<const char*>(a.data + row * a.row_stride), row_bytes, lanes * row_bytes,
            side * sizeof(c10::BFloat16), fetches_ahead ? side * row_bytes : 0};
  }
  RowTiles from_step(std::int64_t step) const {
    RowTiles later = *this;
    later.data += static_cast<std::size_t>(step) * step_bytes;
    return later;
  }
};

/// Operands whose product is added to a square of sums.
struct Factors {
  RowTiles rows;
  const std::uint32_t* columns = nullptr;
};

/// 32 by 32 sums over `steps` of each of the products, onto what they are unless `is_first`.
MOE_AMX inline void sum_square(std::initializer_list<Factors> products, std::int64_t steps, bool is_first,
                               float* sums) {
  constexpr std::size_t bytes = lanes * sizeof(float), sums_bytes = side * sizeof(float);
  if (is_first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, sums_bytes);
    _tile_loadd(1, sums + lanes, sums_bytes);
    _tile_loadd(2, sums + lanes * side, sums_bytes);
    _tile_loadd(3, sums + lanes * side + lanes, sums_bytes);
  }
  for (const auto& [rows, columns] : products) {
    const char* a = rows.data;
    const std::uint32_t* b = columns;
    for (std::int64_t k = 0; k < steps; ++k, a += rows.step_bytes, b += step_pairs) {
      for (std::int64_t r = 0; rows.ahead_bytes != 0 && r < side; ++r)
        __builtin_prefetch(a + rows.ahead_bytes + static_cast<std::size_t>(r) * rows.row_bytes, 0, 2);
      _tile_loadd(4, a, rows.row_bytes);
      _tile_loadd(6, b, bytes);
      _tile_loadd(7, b + tile_pairs, bytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, a + rows.half_bytes, rows.row_bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, sums_bytes);
  _tile_stored(1, sums + lanes, sums_bytes);
  _tile_stored(2, sums + lanes * side, sums_bytes);
  _tile_stored(3, sums + lanes * side + lanes, sums_bytes);
}

/// 16 sums, ended and rounded.
MOE_AMX inline __m256i round_sums(const float* sums, __m512 bias, bool relu) {
  const __m512 sum = _mm512_add_ps(_mm512_loadu_ps(sums), bias);
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(relu ? _mm512_max_ps(_mm512_setzero_ps(), sum) : sum));
}

/// A square of sums, ended and rounded, a row of it at a time: what is written past the caches has to fill whole lines
/// at once.
MOE_AMX inline void store_square(const float* sums, std::int64_t rows, std::int64_t columns, const Bf16Epilogue& end,
                                 c10::BFloat16* c, std::int64_t c_row) {
  const __mmask32 mask = first_elements(columns);
  __m512 bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  if (end.column_bias != nullptr) {
    const __m512i bits = _mm512_maskz_loadu_epi16(mask, end.column_bias);
    bias[0] = widen(_mm512_castsi512_si256(bits));
    bias[1] = widen(_mm512_extracti64x4_epi64(bits, 1));
  }
  const bool streams = end.stream && columns == side &&
                       (reinterpret_cast<std::uintptr_t>(c) | static_cast<std::uintptr_t>(2 * c_row)) % 64 == 0;
  for (std::int64_t r = 0; r < rows; ++r, sums += side, c += c_row) {
    const __m512 row_bias = _mm512_set1_ps(end.row_bias == nullptr ? 0.0F : static_cast<float>(end.row_bias[r]));
    const __m256i first = round_sums(sums, _mm512_add_ps(bias[0], row_bias), end.relu);
    const __m256i second = round_sums(sums + lanes, _mm512_add_ps(bias[1], row_bias), end.relu);
    const __m512i row = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
    if (streams) {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(c), row);
    } else {
      _mm512_mask_storeu_epi16(c, mask, row);
    }
  }
}

/// The sums themselves, in whole vectors.
MOE_AMX inline void store_square(const float* sums, std::int64_t rows, std::int64_t columns, const Bf16Epilogue&,
                                 float* c, std::int64_t c_row) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < columns; i += lanes)
      _mm512_storeu_ps(c + r * c_row + i, _mm512_maskz_loadu_ps(tail_mask(columns - i), sums + r * side + i));
  }
}

}  // namespace moe::amx

#endif
