#include "metrics/word_accuracy.h"

#include "core/error.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("a word counts when it stands at its place") {
  CHECK(word_accuracy({"a b c"}, {"a b c"}) == 1);
  CHECK(word_accuracy({"b a c"}, {"a b c"}) == Approx(1.0 / 3));
  CHECK(word_accuracy({"a", "a b x y", ""}, {"a b", "a b", "a b"}) == Approx(3.0 / 6));
  CHECK(word_accuracy({"a"}, {""}) == 0);
  CHECK(word_accuracy({}, {}) == 0);
  CHECK_THROWS_WITH(word_accuracy({"a"}, {}), "1 hypotheses cannot be compared with 0 references.");
}

}  // namespace moe
