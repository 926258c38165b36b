#include "harness/commands/scale/layer_cost.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

// Round numbers, so that the expectations below can be worked out by hand: V = 1000 * 2 * 500 * 2 = 2e6 bytes, useful
// computation 12 * 1000 * 2 * 500 * 1000 / 1e12 = 12 ms.
const Cluster pairs = {1e12, 2, 1e9, 0.5e9, 1e-3, 2e-3, 2};
const LayerShape shape = {1000, 2, 500, 1000};

}  // namespace

TEST_CASE("the efficiency of a large layer on nodes of 8 falls as the design worked it out") {
  const Cluster cluster = {400e12, 8, 350e9, 45e9, 1e-6, 2e-6, 2};
  const LayerShape large = {8192, 2, 1024, 4096};
  const auto flat = [&](std::int64_t ranks) {
    const LayerCost cost = layer_cost(large, cluster, ranks, 1);
    return cost.efficiency(cost.flat);
  };
  CHECK(flat(8) == Approx(0.85).margin(0.005));
  CHECK(flat(64) == Approx(0.40).margin(0.005));
  CHECK(flat(1024) == Approx(0.16).margin(0.005));
  const LayerCost cost = layer_cost(large, cluster, 1024, 1);
  CHECK(cost.efficiency(cost.two_level) == Approx(0.32).margin(0.005));
}

TEST_CASE("a flat exchange waits for the slower of the links, a two-level one for both") {
  const LayerCost cost = layer_cost(shape, pairs, 4, 1);
  CHECK(cost.useful == Approx(0.012));
  CHECK(cost.compute == Approx(0.012));
  // One peer on the node, two on the other: 1 + 2 * 2 = 5 ms. A quarter of V inside, half of V between: max(0.5, 2) ms.
  CHECK(cost.flat.latency == Approx(4 * 0.005));
  CHECK(cost.flat.transfer == Approx(4 * 0.002));
  // One peer on the node, one on the other: 1 + 2 = 3 ms. Half of V on either level: 1 + 2 ms.
  CHECK(cost.two_level.latency == Approx(4 * 0.003));
  CHECK(cost.two_level.transfer == Approx(4 * 0.003));
  CHECK(cost.efficiency(cost.flat) == Approx(12.0 / 40));
  CHECK(cost.efficiency(cost.two_level) == Approx(12.0 / 36));
}

TEST_CASE("the busiest rank computes and sends more, and its messages are as slow as before") {
  const LayerCost even = layer_cost(shape, pairs, 4, 1), uneven = layer_cost(shape, pairs, 4, 1.5);
  CHECK(uneven.useful == even.useful);
  CHECK(uneven.compute == Approx(1.5 * even.compute));
  CHECK(uneven.flat.transfer == Approx(1.5 * even.flat.transfer));
  CHECK(uneven.flat.latency == even.flat.latency);
  CHECK(uneven.two_level.transfer == Approx(1.5 * even.two_level.transfer));
}

TEST_CASE("within a node there is one level, and alone nothing to exchange") {
  const LayerCost node = layer_cost(shape, pairs, 2, 1);
  CHECK(node.flat.total() == node.two_level.total());
  const LayerCost alone = layer_cost(shape, pairs, 1, 1);
  CHECK(alone.flat.total() == 0);
  CHECK(alone.efficiency(alone.two_level) == 1);
}

TEST_CASE("the imbalance of ranks is that of the experts that each has") {
  const std::vector<double> load = {0.1, 0.5, 0.2, 0.2};
  CHECK(imbalance_on(load, 1) == Approx(1));
  CHECK(imbalance_on(load, 2) == Approx(1.2));  // 0.6 against 0.5
  CHECK(imbalance_on(load, 4) == Approx(2));    // 0.5 against 0.25
  CHECK(imbalance_on(load, 64) == Approx(2));
  CHECK(imbalance_on({1, 1, 1}, 2) == Approx(4.0 / 3));  // one rank has two of three equal experts
}

TEST_CASE("the limit of bandwidth is what large volumes come to") {
  LayerShape huge = shape;
  huge.tokens = 1'000'000'000;
  const LayerCost cost = layer_cost(huge, pairs, 1 << 20, 1);
  CHECK(cost.flat.transfer / cost.compute == Approx(communication_ratio(pairs, 0.5e9, 1000)).epsilon(1e-5));
}

TEST_CASE("ranks are doubled inside a node, and from a whole node on by nodes") {
  using Ranks = std::vector<std::int64_t>;
  CHECK((doubled_ranks(8, 64) == Ranks{2, 4, 8, 16, 32, 64}));
  CHECK((doubled_ranks(6, 50) == Ranks{2, 4, 6, 12, 24, 48}));
  CHECK((doubled_ranks(1, 4) == Ranks{2, 4}));
  CHECK((doubled_ranks(8, 4) == Ranks{2, 4}));
}

}  // namespace moe
