#include "kernels/amx_product.h"

#include "core/error.h"
#include "kernels/amx_tiles.h"
#include "kernels/room.h"

#include <algorithm>

#ifdef MOE_HAS_AMX_CODE
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

// Rows of b are copied as far as a group of columns reaches, and of a as many rows as stay in the second cache, so that
// what comes from memory is read and written in its order.

namespace moe {

#ifdef MOE_HAS_AMX_CODE
namespace amx {
namespace {

constexpr std::int64_t depth_steps = 8;                      ///< of a square's operands that stay in the first cache
constexpr std::int64_t panel_pairs = std::int64_t{1} << 17;  ///< of an operand that stay in the second one
constexpr std::int64_t group_sides = 8;                      ///< most columns that are copied at once

/// c = end(a b), of as many rows and columns as are copied at once.
MOE_AMX void multiply_panels(const std::uint32_t* rows, const std::uint32_t* strips, std::int64_t steps, float* sums,
                             std::int64_t row_count, std::int64_t columns, const Bf16ProductEnd& end, c10::BFloat16* c,
                             std::int64_t c_row) {
  for (std::int64_t row = 0; row < row_count; row += side) {
    for (std::int64_t k = 0; k < steps; k += depth_steps) {
      const std::int64_t depth = std::min(depth_steps, steps - k);
      for (std::int64_t column = 0; column < columns; column += side) {
        float* square = steps > depth_steps ? sums + column * side : sums;
        const std::int64_t done = k * step_pairs;
        sum_square({{rows + row * steps * lanes + done, strips + column / side * strip_pairs(steps) + done}}, depth,
                   k == 0, square);
        if (k + depth < steps) continue;
        const Bf16ProductEnd square_end{bias_from(end.column_bias, column), end.relu, end.stream,
                                        bias_from(end.row_bias, row)};
        store_square(square, std::min(side, row_count - row), std::min(side, columns - column), square_end,
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
  const std::int64_t group = std::min({most_sides, group_sides, sides(b.columns)}) * side;
  auto* rows = reinterpret_cast<std::uint32_t*>(a_room.take(panel * steps * lanes));
  auto* strips = reinterpret_cast<std::uint32_t*>(b_room.take(group / side * strip_pairs(steps)));
  float* sums = sum_room.take(group * side);
  const TileScope tiles;
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
}  // namespace amx

bool has_amx_product() {
  static const bool has = amx::can_multiply();
  return has;
}

void amx_product(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end) {
  check_operands(a, b);
  amx::multiply(a, b, c, end);
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
