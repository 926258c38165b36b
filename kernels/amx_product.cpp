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
// columns. Four tiles of sums take in two of a and two of b at a time. Operands are copied so that whole tiles can be
// read, with zeros behind the summed index.

namespace moe {

#ifdef MOE_HAS_AMX_CODE
namespace {

#define MOE_AMX __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,amx-tile,amx-bf16")))

constexpr std::int64_t lanes = 16;              ///< rows of a tile, and pairs or float32 in a row of it
constexpr std::int64_t block_rows = 2 * lanes;  ///< of the four tiles of sums
constexpr std::int64_t block_columns = 2 * lanes;

/// The next multiple of `size`, and one of them at least.
constexpr std::int64_t whole(std::int64_t count, std::int64_t size) {
  return std::max((count + size - 1) / size, std::int64_t{1}) * size;
}

/// The memory of LDTILECFG: all eight tiles have their full size.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0;
  std::array<std::uint8_t, 14> reserved{};
  std::array<std::uint16_t, 16> row_bytes{64, 64, 64, 64, 64, 64, 64, 64};
  std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

/// a as rows of pairs, [rows in whole blocks, pairs]; what is not there is 0, but for rows.
MOE_AMX void copy_rows(const Bf16View& a, std::int64_t pairs, std::uint32_t* out) {
  if (a.column_stride == 1) {
    for (std::int64_t r = 0; r < a.rows; ++r) {
      auto* row = reinterpret_cast<c10::BFloat16*>(out + r * pairs);
      std::copy_n(a.data + r * a.row_stride, a.columns, row);
      std::memset(row + a.columns, 0, static_cast<std::size_t>(2 * pairs - a.columns) * sizeof(c10::BFloat16));
    }
    return;
  }
  copy_pairs_crosswise(a, out, pairs, /*fills_vectors=*/true);
}

/// 32 by 32 sums, from 32 rows of a and 32 columns of a strip.
MOE_AMX void sum_block(const std::uint32_t* a, const std::uint32_t* strip, std::int64_t pairs, float* sums) {
  const auto a_bytes = static_cast<std::size_t>(pairs) * sizeof(std::uint32_t);
  constexpr std::size_t strip_bytes = strip_columns * sizeof(std::uint32_t);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t k = 0; k < pairs; k += lanes) {
    _tile_loadd(4, a + k, a_bytes);
    _tile_loadd(5, a + lanes * pairs + k, a_bytes);
    _tile_loadd(6, strip + k * strip_columns, strip_bytes);
    _tile_loadd(7, strip + k * strip_columns + lanes, strip_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  constexpr std::size_t sums_bytes = block_columns * sizeof(float);
  _tile_stored(0, sums, sums_bytes);
  _tile_stored(1, sums + lanes, sums_bytes);
  _tile_stored(2, sums + lanes * block_columns, sums_bytes);
  _tile_stored(3, sums + lanes * block_columns + lanes, sums_bytes);
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
  const bool streams = end.stream && columns == block_columns &&
                       (reinterpret_cast<std::uintptr_t>(c) | static_cast<std::uintptr_t>(2 * c_row)) % 64 == 0;
  for (std::int64_t r = 0; r < rows; ++r, sums += block_columns, c += c_row) {
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

MOE_AMX void multiply(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end) {
  thread_local Room a_room, b_room;
  const std::int64_t real_pairs = (b.rows + 1) / 2, pairs = whole(real_pairs, lanes);
  auto* a_pairs = reinterpret_cast<std::uint32_t*>(a_room.take(whole(a.rows, block_rows) * pairs));
  copy_rows(a, pairs, a_pairs);
  auto* strip = reinterpret_cast<std::uint32_t*>(b_room.take(pairs * strip_columns));
  std::fill(strip + real_pairs * strip_columns, strip + pairs * strip_columns, 0U);
  alignas(64) std::array<float, block_rows * block_columns> sums{};
  const TileConfiguration configuration;
  _tile_loadconfig(&configuration);
  for (std::int64_t column = 0; column < b.columns; column += strip_columns) {
    const std::int64_t columns = std::min(strip_columns, b.columns - column);
    copy_strip(b, column, columns, strip);
    for (std::int64_t row = 0; row < a.rows; row += block_rows) {
      for (std::int64_t i = 0; i < columns; i += block_columns) {
        sum_block(a_pairs + row * pairs, strip + i, pairs, sums.data());
        const Bf16ProductEnd block_end{bias_from(end.column_bias, column + i), end.relu, end.stream,
                                       bias_from(end.row_bias, row)};
        store_block(sums.data(), std::min(block_rows, a.rows - row), std::min(block_columns, columns - i), block_end,
                    c + row * b.columns + column + i, b.columns);
      }
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
