#include "core/random.h"

#include "tests/support/catch.h"

#include <cmath>

namespace moe {
namespace {

// Expected numbers come from splitmix64 written out in Python.

TEST_CASE("mix is splitmix64") {
  CHECK(mix(0) == 0xe220a8397b1dcdafULL);
  CHECK(mix(1) == 0x910a2dec89025cc1ULL);
  static_assert(mix(0) == 0xe220a8397b1dcdafULL, "usable at compile time");
}

TEST_CASE("a stream is the chain of mixes over its indices") {
  CHECK(RandomStream(1).bits() == 0x910a2dec89025cc1ULL);
  CHECK(RandomStream(1).at(2).bits() == 0xbcd9dbb49673066bULL);
  CHECK(RandomStream(7).at(StreamTag::random_route).at(3).bits() == 0x8fa6da617c5ca2e7ULL);  // tag 7
  CHECK(RandomStream(1).at("encoder.0.w1").bits() == 0x20f1348ea4300e27ULL);                 // FNV-1a of the name
}

TEST_CASE("draws are pure functions of the stream") {
  const RandomStream stream(1);
  CHECK(stream.uniform() == 0.5665615751722809);
  CHECK(stream.below(10) == 5);  // 10451216379200822465 mod 10
  CHECK(RandomStream(5).normal() == Approx(2.0464390746195287).epsilon(1e-14));
  CHECK(stream.at(3).bits() == stream.at(3).bits());
  CHECK(stream.at(3).at(4).bits() != stream.at(4).at(3).bits());
}

TEST_CASE("normal draws have mean 0 and variance 1") {
  constexpr int count = 20000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < count; ++i) {
    const double value = RandomStream(11).at(i).normal();
    sum += value;
    squares += value * value;
  }
  CHECK(std::abs(sum / count) < 4 / std::sqrt(count));                // four standard errors
  CHECK(std::abs(squares / count - 1) < 4 * std::sqrt(2.0 / count));  // the variance of x^2 is 2
}

}  // namespace
}  // namespace moe
