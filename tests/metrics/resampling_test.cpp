#include "metrics/comparison/resampling.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <numeric>

namespace moe {

TEST_CASE("sentences are drawn with replacement, by seed and sample", "[metrics][resampling]") {
  const std::vector<std::uint32_t> drawn = resampled_sentences(1, 0, 50);
  REQUIRE(drawn.size() == 50);
  CHECK(*std::max_element(drawn.begin(), drawn.end()) < 50);
  std::vector<std::uint32_t> different = drawn;
  std::sort(different.begin(), different.end());
  different.erase(std::unique(different.begin(), different.end()), different.end());
  CHECK(different.size() > 25);  // 1 - 1/e of 50 is 32
  CHECK(different.size() < 40);
  CHECK(drawn == resampled_sentences(1, 0, 50));
  CHECK(drawn != resampled_sentences(1, 1, 50));
  CHECK(drawn != resampled_sentences(2, 0, 50));
}

TEST_CASE("p values count the sample that was seen as well", "[metrics][resampling]") {
  CHECK(p_of_count(0, 99) == 0.01);
  CHECK(p_of_count(4, 99) == 0.05);
  CHECK(p_of_count(99, 99) == 1);
}

TEST_CASE("an interval leaves half of its level outside at each end", "[metrics][resampling]") {
  std::vector<double> values(1000);
  std::iota(values.begin(), values.end(), 0.0);
  CHECK(central_interval(values, 0.05).low == 25);
  CHECK(central_interval(values, 0.05).high == 974);
  CHECK(central_interval(values, 0.1).low == 50);
  CHECK(central_interval({1, 2, 3}, 0.05).low == 1);
  CHECK(central_interval({1, 2, 3}, 0.05).high == 3);
  CHECK(central_interval({4}, 0.5).low == 4);
}

}  // namespace moe
