// The bodies of the CUDA kernels on the host: the integers exactly, sums in the order that the kernels promise, and
// small tables worked out by hand. cuda_reference_test.cpp compares them with the CPU's kernels.
#include "core/random.h"
#include "kernels/cuda/adamw.h"
#include "kernels/cuda/dropout.h"
#include "kernels/cuda/expert_rows.h"
#include "kernels/cuda/grouped_gemm.h"
#include "kernels/cuda/losses.h"
#include "kernels/cuda/route.h"
#include "kernels/cuda/scan.h"
#include "tests/kernels/cuda_host_team.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

namespace moe::cuda {
namespace {

using Floats = std::vector<float>;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

Floats noise_floats(std::int64_t count, int key) {
  Floats values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(RandomStream(7).at(key).at(i).normal()));
  return values;
}

/// As the kernel of kernels/cuda/grouped_gemm.cu, whose threads meet after each phase.
template <class AnyTile, class Write>
void host_tile(const AnyTile& tile, Write write) {
  std::vector<TileThread> own(block_threads);
  const auto shared = std::make_unique<TileStep>();
  const auto each_thread = [&](auto phase) {
    for (int thread = 0; thread < block_threads; ++thread) phase(thread, own[at(thread)]);
  };
  each_thread([&](int, TileThread& mine) { AnyTile::clear(mine); });
  for (std::int64_t step = 0; step < tile.steps(); ++step) {
    each_thread([&](int thread, TileThread& mine) { tile.fetch(step, thread, mine); });
    each_thread([&](int thread, TileThread& mine) { AnyTile::stash(thread, mine, *shared); });
    each_thread([&](int thread, TileThread& mine) { AnyTile::multiply(thread, *shared, mine); });
  }
  each_thread([&](int thread, TileThread& mine) { write(thread, mine); });
}

template <bool transposed>
void host_grouped(const GroupedRows<transposed>& body) {
  for (std::int64_t block = 0; block < body.blocks(); ++block) {
    const RowTile rows = row_tile(body.offset, body.experts, body.row_tile_of(block));
    if (rows.rows == 0) continue;
    const std::int64_t first = body.first_column(block);
    const auto tile = body.tile(rows, first);
    host_tile(tile, [&](int thread, const TileThread& own) { body.write(tile, rows, first, thread, own); });
  }
}

void host_grouped(const GroupedWeightGradients& body) {
  for (std::int64_t block = 0; block < body.blocks(); ++block) {
    const auto place = body.at(block);
    const auto tile = body.tile(place);
    host_tile(tile, [&](int thread, const TileThread& own) { body.write(tile, place, thread, own); });
  }
}

/// Three experts of which one has no rows, and widths that no tile divides.
struct Layer {
  std::vector<std::int32_t> offset{0, 70, 70, 105};
  int experts = 3, k = 37, n = 67;
  std::int64_t rows = 105;
  Floats x = noise_floats(rows * k, 1), w = noise_floats(experts * std::int64_t{n} * k, 2),
         bias = noise_floats(experts * std::int64_t{n}, 3), grad = noise_floats(rows * n, 4);

  std::int64_t expert_of(std::int64_t row) const { return row < 70 ? 0 : 2; }
};

}  // namespace

TEST_CASE("bfloat16 is rounded to the nearest, ties to even") {
  // 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3 2^-8 between 1 + 2^-7 and 1 + 2^-6: both go to the even neighbour.
  CHECK(to_float(from_float<Bf16>(1.00390625F)) == 1.0F);
  CHECK(to_float(from_float<Bf16>(1.01171875F)) == 1.015625F);
  CHECK(to_float(from_float<Bf16>(1.004F)) == 1.0078125F);
  CHECK(to_float(from_float<Bf16>(-2.5F)) == -2.5F);
  CHECK(to_float(from_float<Bf16>(std::numeric_limits<float>::infinity())) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(to_float(from_float<Bf16>(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("a grouped product is each row times its expert's matrix, in chains of K") {
  const Layer layer;
  const bool relu = GENERATE(false, true);
  Floats out(at(layer.rows * layer.n), -7);
  host_grouped(GroupedRows<false>{layer.x.data(), layer.w.data(), layer.offset.data(), layer.rows, layer.experts,
                                  layer.k, layer.n, layer.bias.data(), relu, nullptr, out.data()});
  bool same = true;
  for (std::int64_t m = 0; m < layer.rows; ++m) {
    for (std::int64_t j = 0; j < layer.n; ++j) {
      const std::int64_t of_row = layer.expert_of(m) * layer.n + j;
      float sum = 0;
      for (std::int64_t i = 0; i < layer.k; ++i) {
        sum = std::fma(layer.x[at(m * layer.k + i)], layer.w[at(of_row * layer.k + i)], sum);
      }
      sum += layer.bias[at(of_row)];
      same = same && out[at(m * layer.n + j)] == (relu && sum < 0 ? 0.0F : sum);
    }
  }
  CHECK(same);
}

TEST_CASE("the gradient of a grouped product's input is masked by the hidden states") {
  const Layer layer;
  const bool masks = GENERATE(false, true);
  const Floats hidden = noise_floats(layer.rows * layer.k, 5);
  Floats out(at(layer.rows * layer.k), -7);
  host_grouped(GroupedRows<true>{layer.grad.data(), layer.w.data(), layer.offset.data(), layer.rows, layer.experts,
                                 layer.n, layer.k, nullptr, false, masks ? hidden.data() : nullptr, out.data()});
  bool same = true;
  for (std::int64_t m = 0; m < layer.rows; ++m) {
    for (std::int64_t i = 0; i < layer.k; ++i) {
      float sum = 0;
      for (std::int64_t j = 0; j < layer.n; ++j) {
        sum = std::fma(layer.grad[at(m * layer.n + j)], layer.w[at((layer.expert_of(m) * layer.n + j) * layer.k + i)],
                       sum);
      }
      same = same && out[at(m * layer.k + i)] == (masks && hidden[at(m * layer.k + i)] <= 0 ? 0.0F : sum);
    }
  }
  CHECK(same);
}

TEST_CASE("the gradients of a grouped product's weights and biases are sums over the rows, and 0 without rows") {
  const Layer layer;
  Floats w(layer.w.size(), -7), bias(layer.bias.size(), -7);
  host_grouped(GroupedWeightGradients{layer.grad.data(), layer.x.data(), layer.offset.data(), layer.experts, layer.n,
                                      layer.k, w.data(), bias.data()});
  bool same = true;
  for (std::int64_t e = 0; e < layer.experts; ++e) {
    for (std::int64_t j = 0; j < layer.n; ++j) {
      float of_bias = 0;
      for (std::int64_t m = layer.offset[at(e)]; m < layer.offset[at(e + 1)]; ++m) {
        of_bias += layer.grad[at(m * layer.n + j)];
      }
      same = same && bias[at(e * layer.n + j)] == of_bias;
      for (std::int64_t i = 0; i < layer.k; ++i) {
        float sum = 0;
        for (std::int64_t m = layer.offset[at(e)]; m < layer.offset[at(e + 1)]; ++m) {
          sum = std::fma(layer.grad[at(m * layer.n + j)], layer.x[at(m * layer.k + i)], sum);
        }
        same = same && w[at((e * layer.n + j) * layer.k + i)] == sum;
      }
    }
  }
  CHECK(same);
}

TEST_CASE("the best experts come in their order, ties by index, and padding has none") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), least = -std::numeric_limits<float>::infinity();
  const Floats score{
      1,    3, 2,    3,     //
      -0.F, 0, -0.F, -1,    //
      5,    6, 7,    8,     //
      nan,  1, nan,  least  //
  };
  const bool valid[] = {true, true, false, true};
  std::vector<std::int64_t> expert(12, -7);
  host_warps(4, BestExperts{score.data(), valid, 4, 3, expert.data()});
  CHECK(expert == std::vector<std::int64_t>{1, 3, 2, 0, 1, 2, -1, -1, -1, 1, 3, 0});
}

TEST_CASE("choices are sorted by expert and stay in the order of tokens, over several chunks") {
  constexpr std::int64_t tokens = 401, experts = 5;
  const int choices = GENERATE(1, 2);
  const std::int64_t count = tokens * choices, chunks = divided_up(count, block_threads);
  std::vector<std::int64_t> expert;
  for (std::int64_t a = 0; a < count; ++a) {
    const std::int64_t drawn = RandomStream(3).at(a).below(experts + 1) - 1;
    expert.push_back(drawn == 3 ? 2 : drawn);  // nobody chooses expert 3
  }
  std::vector<std::int64_t> by_expert;  // indices of choices that name an expert
  for (std::int64_t a = 0; a < count; ++a) {
    if (expert[at(a)] >= 0) by_expert.push_back(a);
  }
  std::stable_sort(by_expert.begin(), by_expert.end(),
                   [&](std::int64_t a, std::int64_t b) { return expert[at(a)] < expert[at(b)]; });

  std::vector<std::int32_t> table(at(experts * chunks + 1), -7), offset(at(experts + 1), -7);
  host_blocks(chunks, CountChoices{expert.data(), count, experts, chunks, table.data()});
  host_blocks(1, ExclusiveSum{table.data(), std::ssize(table), table.data()});
  std::vector<std::int64_t> token(by_expert.size()), source(by_expert.size());
  host_blocks(chunks, PlaceChoices{expert.data(), count, experts, choices, chunks, table.data(), token.data(),
                                   source.data(), offset.data()});
  CHECK(source == by_expert);
  for (std::size_t m = 0; m < token.size(); ++m) CHECK(token[m] == by_expert[m] / choices);
  for (std::int64_t e = 0; e <= experts; ++e) {
    const auto below =
        std::count_if(by_expert.begin(), by_expert.end(), [&](std::int64_t a) { return expert[at(a)] < e; });
    CHECK(offset[at(e)] == below);
  }
}

TEST_CASE("exclusive sums of fewer and more numbers than threads") {
  for (const std::int64_t count : {1, 5, 256, 257, 1000}) {
    std::vector<std::int32_t> in, expected, out(at(count), -7);
    for (std::int64_t i = 0; i < count; ++i) in.push_back(static_cast<std::int32_t>(RandomStream(4).at(i).below(9)));
    std::exclusive_scan(in.begin(), in.end(), std::back_inserter(expected), 0);
    host_blocks(1, ExclusiveSum{in.data(), count, out.data()});
    CHECK(out == expected);
  }
}

TEST_CASE("the pairs of a row are found in their order, whatever the order in which threads placed them") {
  const std::vector<std::int64_t> token{2, 0, 2, 3, 2, 0};
  std::vector<std::int32_t> count(5), first(5), pair(6, -7);
  host_threads(6, CountAssignments{token.data(), count.data()});
  host_blocks(1, ExclusiveSum{count.data(), 5, first.data()});
  CHECK(first == std::vector<std::int32_t>{0, 2, 2, 5, 6});
  std::vector<std::int32_t> next = first;
  const PlaceAssignments place{token.data(), next.data(), pair.data()};
  for (const std::int64_t m : {5, 4, 0, 3, 1, 2}) place(m);
  host_threads(4, OrderAssignments{first.data(), pair.data()});
  CHECK(pair == std::vector<std::int32_t>{1, 5, 0, 2, 4, 3});
  // Row 2 is 0.5 y0 + 2 y2 - y4, row 1 has no pair.
  const Floats y{1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60}, weight{0.5F, 1, 2, 3, -1, 4};
  Floats out(8, -7);
  host_warps(4, CombineRows<float>{y.data(), weight.data(), first.data(), pair.data(), 2, out.data()});
  CHECK(out == Floats{26, 260, 0, 0, 1.5F, 15, 12, 120});
}

TEST_CASE("each row gets its expert's bias, and biases the sums of their rows' gradients") {
  const std::vector<std::int32_t> offset{0, 0, 2, 2, 40};  // experts 1 and 3 have rows
  CHECK(expert_of_row(offset.data(), 4, 0) == 1);
  CHECK(expert_of_row(offset.data(), 4, 1) == 1);
  CHECK(expert_of_row(offset.data(), 4, 2) == 3);
  CHECK(expert_of_row(offset.data(), 4, 39) == 3);
  const Floats bias{9, 9, 1, -2, 9, 9, 3, -4};
  Floats y(80, 1);
  host_warps(40, AddExpertBias<float>{bias.data(), offset.data(), 4, 2, true, y.data()});
  for (std::int64_t m = 0; m < 40; ++m) {
    CHECK(y[at(2 * m)] == (m < 2 ? 2 : 4));
    CHECK(y[at(2 * m + 1)] == 0);
  }
  Floats grad, partial(at(bias_parts * 4 * 2), -7);
  for (int i = 0; i < 80; ++i) grad.push_back(static_cast<float>(i));
  host_threads(std::ssize(partial), BiasParts<float>{grad.data(), offset.data(), 4, 2, partial.data()});
  Floats sum(8);
  for (std::size_t i = 0; i < partial.size(); ++i) sum[i % 8] += partial[i];
  // Rows 0 and 1: 0 + 2 and 1 + 3; rows 2 to 39: 2 (2 + ... + 39) = 1558, and 38 more.
  CHECK(sum == Floats{0, 0, 2, 4, 0, 0, 1558, 1596});
}

TEST_CASE("dropout takes the bits of its words, and the last word ends with the elements") {
  constexpr std::uint64_t key = 0x0123456789abcdefULL;
  constexpr std::uint32_t threshold = 49152;
  const Floats x = noise_floats(11, 6), residual = noise_floats(11, 7);
  Floats out(12, -7);
  host_threads(3, DropElements<float, float>{residual.data(), x.data(), out.data(), 11, key, threshold, 2});
  for (std::int64_t i = 0; i < 11; ++i) {
    const std::uint64_t bits = (mix(key + static_cast<std::uint64_t>(i / 4)) >> (16 * (i % 4))) & 0xffffU;
    CHECK(out[at(i)] == residual[at(i)] + x[at(i)] * (bits < threshold ? 2.0F : 0.0F));
  }
  CHECK(out[11] == -7);
}

TEST_CASE("the norm of all parts is taken block by block") {
  const Floats gradient = noise_floats(10000, 8);
  AdamwRow rows[2] = {};
  rows[0].gradient = gradient.data();
  rows[0].count = 5000;
  rows[1].gradient = gradient.data() + 5000;
  rows[1].count = 5000;
  rows[1].first_block = 2;
  std::vector<double> square(4, -7);
  double norm = 0;
  host_blocks(4, BlockSquares{rows, 2, square.data()});
  host_blocks(1, NormOfSquares{square.data(), 4, &norm});
  const double expected = std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0);
  CHECK(norm == Approx(std::sqrt(expected)).epsilon(1e-6));
}

TEST_CASE("sums of losses are those of each list") {
  const std::vector<double> values{1, 2, 3, 10, 20, 30};
  std::vector<double> sum(2);
  host_blocks(2, SumsOfRows{values.data(), 3, sum.data()});
  CHECK(sum == std::vector<double>{6, 60});
}

}  // namespace moe::cuda
