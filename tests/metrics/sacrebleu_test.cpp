#include "metrics/sacrebleu.h"

#include "core/error.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("each reference needs one sentence for each hypothesis", "[metrics][sacrebleu]") {
  CHECK_NOTHROW(check_references({"a", "b"}, {{"c", "d"}, {"e", "f"}}));
  CHECK_THROWS_AS(check_references({}, {{}}), Error);
  CHECK_THROWS_AS(check_references({"a"}, {}), Error);
  CHECK_THROWS_WITH(check_references({"a", "b"}, {{"c", "d"}, {"e"}}),
                    "2 hypotheses cannot be scored against 1 reference sentences.");
}

TEST_CASE("the references of one sentence come in the order of the references", "[metrics][sacrebleu]") {
  CHECK(references_of({{"a", "b"}, {"c", "d"}}, 1) == std::vector<std::string>{"b", "d"});
}

}  // namespace moe
