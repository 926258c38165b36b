#include "data/subset.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <string>
#include <vector>

namespace moe {
namespace {

/// Two line-aligned directions of numbered lines.
TextSet numbered(int lines) {
  TextSet set{"train", {{}, {}}};
  for (int i = 0; i < lines; ++i) {
    for (ParallelText& text : set.directions) {
      text.source.push_back("s" + std::to_string(i));
      text.target.push_back("t" + std::to_string(i));
    }
  }
  set.directions[0].label.assign(static_cast<std::size_t>(lines), {7});
  return set;
}

TextSet share_of(int lines, double share) {
  TextSet set = numbered(lines);
  keep_share(set, share);
  return set;
}

}  // namespace

TEST_CASE("a share keeps pairs together, the same in every direction, and rounds up") {
  const TextSet quarter = share_of(1001, 0.25);
  REQUIRE(quarter.directions[0].source.size() == 251);
  CHECK(quarter.directions[0].label.size() == 251);
  CHECK(quarter.directions[1].label.empty());
  CHECK(quarter.directions[0].source == quarter.directions[1].source);
  for (std::size_t i = 0; i < 251; ++i) {
    CHECK(quarter.directions[0].source[i].substr(1) == quarter.directions[0].target[i].substr(1));
  }
}

TEST_CASE("a smaller share is a part of a larger one, in the order of the lines") {
  const std::vector<std::string> large = share_of(1000, 0.5).directions[0].source;
  const std::vector<std::string> small = share_of(1000, 0.0625).directions[0].source;
  CHECK(small.size() == 63);
  const auto number = [](const std::string& line) { return std::stoi(line.substr(1)); };
  const auto ascending = [&](const std::string& a, const std::string& b) { return number(a) < number(b); };
  CHECK(std::is_sorted(small.begin(), small.end(), ascending));
  CHECK(std::includes(large.begin(), large.end(), small.begin(), small.end(), ascending));
  CHECK(number(small.back()) > 800);  // drawn from everywhere, not the first lines
}

TEST_CASE("a share of one keeps everything") {
  CHECK(share_of(3, 1).directions[0].source == numbered(3).directions[0].source);
  CHECK(share_of(3, 0.01).directions[0].source.size() == 1);
}

}  // namespace moe
