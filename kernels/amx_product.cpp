#include "kernels/amx_product.h"

#include "core/error.h"
#include "kernels/bf16_pairs.h"
#include "kernels/room.h"

#include <algorithm>
#include <array>
#include <cstring>

#if defined(MOE_HAS_AVX512_CODE) && defined(__linux__)
#define MOE_HAS_AMX_CODE 1
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

// A tile holds 16 rows of 64 bytes: sums of 16 by 16 in float32, 16 rows of a with 16 pairs, or 16 pairs of b for 16
// columns. Four tiles of sums take in two of a and two of b at a time, a step of the summed index. Operands are copied
// tile by tile in the order in which they are read, with zeros behind the summed index: b a strip of columns at a time,
// and of a as many rows as stay in the second cache.

namespace moe {

#ifdef MOE_HAS_AMX_CODE
namespace {

#define MOE_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,prfchw,amx-tile,amx-bf16")))

constexpr std::int64_t lanes = 16;                        ///< rows of a tile, and pairs or float32 in a row of it
constexpr std::int64_t side = 2 * lanes;                  ///< of the square of sums, and summed elements of a step
constexpr std::int64_t tile_pairs = lanes * lanes;        ///< in a tile
constexpr std::int64_t step_pairs = 2 * tile_pairs;       ///< of an operand
constexpr std::int64_t depth_steps = 8;                   ///< of a strip that stay in the first cache
constexpr std::int64_t panel_pairs = std::int64_t{1} << 17;
constexpr std::int64_t group_columns = 8;

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

/// Rows of a: [rows / 32, steps, 2, 16 rows, 16 pairs]. Rows that are missing are left as they are.
MOE_AMX void copy_rows(const Bf16View& a, std::int64_t steps, std::uint32_t* out) {
  const auto place = [&](std::int64_t r) { return out + r / side * steps * step_pairs + r % side * lanes; };
  if (a.column_stride == 1) {
    for (std::int64_t r = 0; r < a.rows; ++r) {
      const c10::BFloat16* row = a.data + r * a.row_stride;
      std::uint32_t* to = place(r);
      for (std::int64_t k = 0; k < steps; ++k, row += side, to += step_pairs) {
        __builtin_prefetch(row + 8 * a.row_stride, 0, 2);
        _mm512_storeu_si512(to, _mm512_maskz_loadu_epi32(first_lanes(a.columns / 2 - k * lanes), row));
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
      interleave(from, depth, a.column_stride, std::min(lanes, a.rows - r), turned.data(), lanes);
      transpose_block(reinterpret_cast<const float*>(turned.data()), lanes, (depth + 1) / 2, first_lanes(a.rows - r),
                      reinterpret_cast<float*>(place(r) + k * step_pairs), lanes);
    }
  }
}

/// From a strip of b to the next: a little more than it holds, lest all begin in the same lines of the first cache.
constexpr std::int64_t strip_pairs(std::int64_t steps) {
  return steps * step_pairs + 2 * lanes;
}

/// Columns of b: [columns / 32, steps, 2, 16 pairs, 16 columns], read row by row.
MOE_AMX void copy_columns(const Bf16View& b, std::int64_t steps, std::uint32_t* out) {
  const std::int64_t strip = strip_pairs(steps);
  if (b.column_stride != 1) {
    for (std::int64_t c = 0; c < b.columns; c += lanes) {
      std::uint32_t* tile = out + c / side * strip + c % side * lanes;
      const auto* from = reinterpret_cast<const float*>(b.data + c * b.column_stride);
      if (b.rows % side != 0) std::fill_n(tile + (steps - 1) * step_pairs, tile_pairs, 0U);
      for (std::int64_t k = 0; k < steps; ++k, tile += step_pairs, from += lanes) {
        for (std::int64_t i = 0; i < lanes; ++i) __builtin_prefetch(from + (lanes + i) * (b.column_stride / 2), 0, 2);
        transpose_block(from, b.column_stride / 2, b.columns - c, first_lanes(b.rows / 2 - k * lanes),
                        reinterpret_cast<float*>(tile), lanes);
      }
    }
    return;
  }
  for (std::int64_t k = 0; k < steps * side; k += 2) {
    const c10::BFloat16 *first = b.data + k * b.row_stride, *second = first + b.row_stride;
    std::uint32_t* row = out + k / side * step_pairs + k % side / 2 * lanes;
    for (std::int64_t c = 0; c < b.columns; c += lanes) {
      __builtin_prefetch((c % side == 0 ? first : second) + side * b.row_stride + c, 0, 2);
      const __mmask16 mask = first_lanes(b.columns - c);
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(k < b.rows ? mask : __mmask16{0}, first + c));
      const __m512i high =
          _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(k + 1 < b.rows ? mask : __mmask16{0}, second + c));
      _mm512_storeu_si512(row + c / side * strip + c % side * lanes, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

/// 32 by 32 sums over `steps` of a and b, onto what they are unless `is_first`.
MOE_AMX void sum_block(const std::uint32_t* a, const std::uint32_t* b, std::int64_t steps, bool is_first, float* sums) {
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
  for (std::int64_t k = 0; k < steps; ++k, a += step_pairs, b += step_pairs) {
    _tile_loadd(4, a, bytes);
    _tile_loadd(6, b, bytes);
    _tile_loadd(7, b + tile_pairs, bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + tile_pairs, bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, sums_bytes);
  _tile_stored(1, sums + lanes, sums_bytes);
  _tile_stored(2, sums + lanes * side, sums_bytes);
  _tile_stored(3, sums + lanes * side + lanes, sums_bytes);
}

/// 16 sums, ended and rounded.
MOE_AMX __m256i round_sums(const float* sums, __m512 bias, bool relu) {
  const __m512 sum = _mm512_add_ps(_mm512_loadu_ps(sums), bias);
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(relu ? _mm512_max_ps(_mm512_setzero_ps(), sum) : sum));
}

/// A block of sums, a row of it at a time: what is written past the caches has to fill whole lines at once.
MOE_AMX void store_block(const float* sums, std::int64_t rows, std::int64_t columns, const Bf16ProductEnd& end,
                         c10::BFloat16* c, std::int64_t c_row) {
  const auto mask = static_cast<__mmask32>((std::uint64_t{1} << columns) - 1U);
  __m512 bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  if (end.column_bias != nullptr) {
    const __m512i bits = _mm512_maskz_loadu_epi16(mask, end.column_bias);
    bias[0] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(bits)), 16));
    bias[1] = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(bits, 1)), 16));
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

/// c = end(a b), of as many rows and columns as are copied at once.
MOE_AMX void multiply_panels(const std::uint32_t* rows, const std::uint32_t* strips, std::int64_t steps, float* sums,
                             std::int64_t row_count, std::int64_t columns, const Bf16ProductEnd& end, c10::BFloat16* c,
                             std::int64_t c_row) {
  for (std::int64_t row = 0; row < row_count; row += side) {
    for (std::int64_t k = 0; k < steps; k += depth_steps) {
      const std::int64_t depth = std::min(depth_steps, steps - k);
      for (std::int64_t column = 0; column < columns; column += side) {
        float* square = steps > depth_steps ? sums + column * side : sums;
        sum_block(rows + row * steps * lanes + k * step_pairs,
                  strips + column / side * strip_pairs(steps) + k * step_pairs, depth, k == 0, square);
        if (k + depth < steps) continue;
        const Bf16ProductEnd square_end{bias_from(end.column_bias, column), end.relu, end.stream,
                                        bias_from(end.row_bias, row)};
        store_block(square, std::min(side, row_count - row), std::min(side, columns - column), square_end,
                    c + row * c_row + column, c_row);
      }
    }
  }
}

MOE_AMX void multiply(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end) {
  thread_local Room a_room, b_room, sum_room;
  const std::int64_t steps = sides(b.rows);
  const std::int64_t most_sides = std::max(panel_pairs / (steps * step_pairs), std::int64_t{1});
  const std::int64_t panel = std::min(most_sides, sides(a.rows)) * side;
  const std::int64_t group = std::min({most_sides, group_columns, sides(b.columns)}) * side;
  auto* rows = reinterpret_cast<std::uint32_t*>(a_room.take(panel * steps * lanes));
  auto* strips = reinterpret_cast<std::uint32_t*>(b_room.take(group / side * strip_pairs(steps)));
  float* sums = sum_room.take(group * side);
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  for (std::int64_t row = 0; row < a.rows; row += panel) {
    const std::int64_t count = std::min(panel, a.rows - row);
    copy_rows(a.row_range(row, count), steps, rows);
    for (std::int64_t column = 0; column < b.columns; column += group) {
      const std::int64_t columns = std::min(group, b.columns - column);
      copy_columns(b.column_range(column, columns), steps, strips);
      multiply_panels(rows, strips, steps, sums, count, columns,
                      {bias_from(end.column_bias, column), end.relu, end.stream, bias_from(end.row_bias, row)},
                      c + row * b.columns + column, b.columns);
    }
  }
  _tile_release();
}

/// Tile registers need the system's leave (Linux: Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

bool can_multiply() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned amx_bf16 = 1U << 22U, amx_tile = 1U << 24U;
  return has_bf16_product() && (edx & amx_bf16) != 0 && (edx & amx_tile) != 0 && may_use_tiles();
}

}  // namespace

bool has_amx_product() {
  static const bool has = can_multiply();
  return has;
}

void amx_product(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end) {
  check_operands(a, b);
  multiply(a, b, c, end);
}

#else

bool has_amx_product() {
  return false;
}

void amx_product(const Bf16View&, const Bf16View&, c10::BFloat16*, const Bf16ProductEnd&) {
  throw Error("This processor has no tile registers.", ExitStatus::machine_failed);
}

#endif

}  // namespace moe
