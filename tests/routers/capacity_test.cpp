#include "routers/capacity.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

CapacityOptions with_factor(double factor, const std::string& rule = "norm") {
  CapacityOptions options;
  options.capacity_factor = factor;
  options.capacity_rule = rule;
  return options;
}

/// Slots before any minimum.
std::int64_t slots(const std::string& rule, double factor, std::int64_t choices, std::int64_t tokens,
                   std::int64_t experts) {
  CapacityOptions options = with_factor(factor, rule);
  options.minimum_capacity = 0;
  return *capacity_of(Capacity(options), Phase::train, choices, tokens, experts);
}

}  // namespace

TEST_CASE("the capacity is the ceiling of the even share times the factor") {
  CHECK(capacity_of(Capacity(with_factor(1.25)), Phase::train, 1, 10, 4) == 4);  // 3.125
  CHECK(capacity_of(Capacity(with_factor(1.25)), Phase::train, 2, 10, 4) == 7);  // 6.25
  CHECK(capacity_of(Capacity(with_factor(1.0)), Phase::train, 1, 10, 4) == 3);   // 2.5
  CHECK(capacity_of(Capacity(with_factor(1.1)), Phase::train, 1, 50, 5) == 11);  // 11.000000000000002 in floating point
  CHECK(capacity_of(Capacity(with_factor(1.0)), Phase::train, 2, 6, 3) == 4);    // exactly 4
  CHECK(capacity_of(Capacity(with_factor(9.0)), Phase::train, 1, 10, 4) == 10);  // never more than there are tokens
  CHECK(capacity_of(Capacity(with_factor(1.25)), Phase::train, 1, 0, 4) == 0);
}

TEST_CASE("without a factor there is no limit, and evaluation has its own factor") {
  CHECK(capacity_of({}, Phase::train, 1, 10, 4) == std::nullopt);
  CHECK(capacity_of(Capacity(with_factor(1.25)), Phase::evaluate, 1, 10, 4) == std::nullopt);
  CapacityOptions options = with_factor(1.25);
  options.evaluation_capacity_factor = 2.0;
  CHECK(capacity_of(Capacity(options), Phase::evaluate, 1, 10, 4) == 5);
}

TEST_CASE("a minimum lifts what a factor gives, and slots given outright hold in both phases") {
  CapacityOptions options = with_factor(1.25);
  options.minimum_capacity = 8;
  CHECK(capacity_of(Capacity(options), Phase::train, 1, 10, 4) == 8);
  CHECK(capacity_of(Capacity(options), Phase::train, 1, 6, 4) == 6);
  options.capacity = 2;
  CHECK(capacity_of(Capacity(options), Phase::train, 1, 10, 4) == 2);
  CHECK(capacity_of(Capacity(options), Phase::evaluate, 1, 10, 4) == 2);
}

TEST_CASE("each project's rule gives its slots for 10 tokens, 4 experts and the factor 1.25") {
  CHECK(slots("norm", 1.25, 1, 10, 4) == 4);
  CHECK(slots("norm", 1.25, 2, 10, 4) == 7);
  CHECK(slots("mesh", 1.25, 1, 10, 4) == 3);
  CHECK(slots("mesh", 1.25, 2, 10, 4) == 3);  // no factor for a second choice
  CHECK(slots("flaxformer", 1.25, 1, 10, 4) == 3);
  CHECK(slots("fairseq", 1.25, 1, 10, 4) == 3);
  CHECK(slots("fairseq", 1.25, 2, 10, 4) == 6);
  CHECK(slots("fairseq", 9.0, 2, 10, 4) == 6);  // the factor is for one choice alone
  CHECK(slots("deepspeed", 1.25, 1, 10, 4) == 4);
  CHECK(slots("deepspeed", 1.25, 2, 10, 4) == 7);
  CHECK(slots("tutel", 1.25, 2, 10, 4) == 6);
  CHECK(slots("vmoe", 1.25, 2, 10, 4) == 8);
  CHECK(slots("megablocks", 1.25, 2, 10, 4) == 6);
}

TEST_CASE("a share of 2.5 tokens is rounded up, down or to even") {
  CHECK(slots("norm", 1, 1, 10, 4) == 3);
  CHECK(slots("mesh", 1, 1, 10, 4) == 2);
  CHECK(slots("flaxformer", 1, 1, 10, 4) == 2);
  CHECK(slots("flaxformer", 1, 1, 14, 4) == 4);  // 3.5
}

TEST_CASE("projects have minima of their own, which an option replaces") {
  const auto slots_of = [](const std::string& rule) {
    return capacity_of(Capacity(with_factor(1, rule)), Phase::train, 1, 10, 4);
  };
  CHECK(slots_of("norm") == 3);
  CHECK(slots_of("mesh") == 4);
  CHECK(slots_of("flaxformer") == 4);
  CHECK(slots_of("deepspeed") == 8);
}

TEST_CASE("fairseq's factor at evaluation is a fraction of the tokens") {
  CapacityOptions options = with_factor(1.25, "fairseq");
  options.evaluation_capacity_factor = 0.25;
  CHECK(capacity_of(Capacity(options), Phase::evaluate, 1, 10, 4) == 3);
  CHECK(capacity_of(Capacity(options), Phase::evaluate, 2, 10, 4) == 3);
}

TEST_CASE("a factor that gives no slot is no limit in MegaBlocks") {
  CHECK(slots("megablocks", 0.25, 1, 10, 4) == 10);
  CHECK(slots("mesh", 0.25, 1, 10, 4) == 0);
}

}  // namespace moe
