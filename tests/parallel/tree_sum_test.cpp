#include "parallel/tree_sum.h"

#include "tests/support/catch.h"

#include <string>

namespace moe {
namespace {

const auto write_sum = [](std::string& earlier, const std::string& later) { earlier = "(" + earlier + later + ")"; };

std::string whole_sum(std::int64_t terms) {
  TreeSum<std::string> sum;
  for (std::int64_t i = 0; i < terms; ++i) sum.push({i, 0}, std::to_string(i), write_sum);
  return sum.finish(write_sum);
}

}  // namespace

TEST_CASE("a tree sum adds pairs of pairs, and what is left from the end") {
  CHECK(whole_sum(1) == "0");
  CHECK(whole_sum(3) == "((01)2)");
  CHECK(whole_sum(7) == "(((01)(23))((45)6))");
}

TEST_CASE("parts that start anywhere make the sum of the whole") {
  for (std::int64_t terms = 1; terms <= 9; ++terms) {
    for (std::int64_t cut = 0; cut <= terms; ++cut) {
      TreeSum<std::string> first, second, whole;
      for (std::int64_t i = 0; i < terms; ++i) (i < cut ? first : second).push({i, 0}, std::to_string(i), write_sum);
      for (auto* part : {&first, &second}) {
        for (auto& partial : part->partials()) whole.push(partial.node, partial.value, write_sum);
      }
      INFO(terms << " terms, cut at " << cut);
      CHECK(whole.finish(write_sum) == whole_sum(terms));
    }
  }
}

}  // namespace moe
