#include "kernels/cuda/adamw.h"
#include "kernels/cuda/grouped_gemm.h"
#include "kernels/cuda/launch.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

namespace moe::cuda {
namespace {

bool all_once(const std::vector<int>& times) {
  return std::all_of(times.begin(), times.end(), [](int t) { return t == 1; });
}

/// Where element (row, column) of a matrix stands.
std::size_t place(std::int64_t row, std::int64_t columns, std::int64_t column) {
  return static_cast<std::size_t>(row * columns + column);
}

std::vector<std::int32_t> offsets_of(const std::vector<std::int32_t>& loads) {
  std::vector<std::int32_t> offset{0};
  for (const std::int32_t load : loads) offset.push_back(offset.back() + load);
  return offset;
}

}  // namespace

TEST_CASE("each element has one thread, and each row one warp") {
  for (const std::int64_t count : {1, 7, 8, 9, 255, 256, 257, 1000}) {
    CAPTURE(count);
    std::vector<int> element(static_cast<std::size_t>(count)), row(static_cast<std::size_t>(count));
    for (std::int64_t block = 0; block < blocks_of_threads(count); ++block) {
      for (int t = 0; t < block_threads; ++t) {
        if (element_of(block, t) < count) ++element[static_cast<std::size_t>(element_of(block, t))];
      }
    }
    for (std::int64_t block = 0; block < blocks_of_warps(count); ++block) {
      for (int t = 0; t < block_threads; t += warp_size) {
        CHECK(row_of(block, t) == row_of(block, t + warp_size - 1));
        if (row_of(block, t) < count) ++row[static_cast<std::size_t>(row_of(block, t))];
      }
    }
    CHECK(all_once(element));
    CHECK(all_once(row));
  }
  CHECK(blocks_of_threads(0) == 0);
}

TEST_CASE("the blocks of AdamW cover each part once") {
  // Parts of 1, 4096, 4097 and 10000 elements: 1, 1, 2 and 3 blocks.
  std::vector<AdamwRow> rows(4);
  std::int64_t blocks = 0;
  const std::vector<std::int64_t> counts{1, 4096, 4097, 10000}, expected_row{0, 1, 2, 2, 3, 3, 3};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].count = counts[i];
    rows[i].first_block = blocks;
    blocks += divided_up(counts[i], adamw_block);
  }
  REQUIRE(blocks == 7);
  for (std::int64_t b = 0; b < blocks; ++b) {
    CHECK(adamw_row_of(rows.data(), 4, b) == expected_row[static_cast<std::size_t>(b)]);
  }
}

TEST_CASE("tiles take each row of each expert once, and never too few are launched") {
  // 0 rows, one tile that is not full, a full one, one row more, and three tiles.
  const std::vector<std::vector<std::int32_t>> layers{
      {0, 5, 64, 65, 0, 130}, {1, 1, 1, 1}, {0, 0}, {192}, {63, 65}, {0, 0, 128}};
  for (const std::vector<std::int32_t>& loads : layers) {
    const auto offset = offsets_of(loads);
    const auto experts = static_cast<int>(loads.size());
    std::vector<int> times(static_cast<std::size_t>(offset.back()));
    for (std::int64_t tile = 0; tile < most_row_tiles(offset.back(), experts); ++tile) {
      const RowTile at = row_tile(offset.data(), experts, tile);
      CHECK(at.rows <= tile_side);
      for (std::int64_t row = at.first; row < at.first + at.rows; ++row) {
        CHECK(row >= offset[static_cast<std::size_t>(at.expert)]);
        CHECK(row < offset[static_cast<std::size_t>(at.expert) + 1]);
        ++times[static_cast<std::size_t>(row)];
      }
    }
    CHECK(all_once(times));
    CHECK(row_tile(offset.data(), experts, most_row_tiles(offset.back(), experts)).rows == 0);
  }
  // The worst case is met: 2 full tiles' worth of rows over 3 experts that each leave one tile unfilled.
  CHECK(most_row_tiles(128, 3) == 4);
  const auto worst = offsets_of({1, 1, 126});
  CHECK(row_tile(worst.data(), 3, 3).rows == 62);
}

TEST_CASE("threads load each element of a step once, and write each element of a tile once") {
  using AnyTile = Tile<true, false>;
  constexpr std::size_t elements = std::size_t{tile_side} * tile_depth;
  std::vector<int> along(elements), across(elements);
  for (int thread = 0; thread < block_threads; ++thread) {
    for (int load = 0; load < tile_loads; ++load) {
      ++along[place(AnyTile::side_of<true>(thread, load), tile_depth, AnyTile::depth_of<true>(thread, load))];
      ++across[place(AnyTile::side_of<false>(thread, load), tile_depth, AnyTile::depth_of<false>(thread, load))];
    }
  }
  CHECK(all_once(along));
  CHECK(all_once(across));
  for (const auto& [rows, columns] : {std::pair{64, 64}, {1, 64}, {63, 5}}) {
    const AnyTile tile{{nullptr, 1, rows, 1}, {nullptr, 1, columns, 1}};
    std::vector<int> times(place(rows, columns, 0));
    TileThread own{};
    AnyTile::clear(own);
    for (int thread = 0; thread < block_threads; ++thread) {
      tile.write(thread, own,
                 [&, columns = columns](int row, int column, float, float) { ++times[place(row, columns, column)]; });
    }
    CHECK(all_once(times));
  }
}

TEST_CASE("blocks of the weights' gradients are the tiles of each expert's matrix") {
  GroupedWeightGradients body{};
  body.experts = 3;
  body.n = 65;
  body.k = 200;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, int> tiles;
  for (std::int64_t block = 0; block < body.blocks(); ++block) {
    const auto at = body.at(block);
    CHECK(at.expert < 3);
    CHECK(at.first_row < 65);
    CHECK(at.first_column < 200);
    ++tiles[{at.expert, at.first_row, at.first_column}];
  }
  CHECK(tiles.size() == 24);  // 3 experts, 2 tiles down and 4 across
  CHECK(std::all_of(tiles.begin(), tiles.end(), [](const auto& tile) { return tile.second == 1; }));
}

}  // namespace moe::cuda
