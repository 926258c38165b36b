#include "harness/report/tables/claims_table.h"

#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

#include <algorithm>

namespace moe {
namespace {

bool says(const std::vector<std::string>& notes, const std::string& start) {
  return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) { return note.starts_with(start); });
}

}  // namespace

TEST_CASE("the claims of summary.json have every figure, null where nothing was measured") {
  Verdict undecided = example_verdict("second", VerdictKind::undecided, 0.25);
  undecided.seeds_to_decide = 9;
  undecided.unpaired = 2;
  const Json claims = claims_json({untestable_verdict("first"), undecided});
  CHECK(claims[0]["verdict"] == "untestable");
  CHECK(claims[0]["effect"].is_null());
  CHECK(claims[0]["blocks"].empty());
  CHECK(claims[1]["seeds_low"] == -0.25);
  CHECK(claims[1]["sentences_high"].get<double>() == Approx(0.55));
  CHECK(claims[1]["seeds"] == 3);
  CHECK(claims[1]["holm_p"] == 0.0004);
  CHECK(claims[1]["seeds_to_decide"] == 9);
  CHECK(claims[1]["unpaired"] == 2);
  CHECK(claims[1]["blocks"][0] == Json({{"name", "de-en, 4 experts"}, {"effect", 0.25}, {"seeds", 3}}));
  CHECK(claims[1]["runs"] == Json::array({"run-a", "run-b"}));
}

TEST_CASE("the table of claims rounds as the metric's unit asks, and has columns only for what occurs") {
  Verdict loss = example_verdict("loss", VerdictKind::supported, 0.25);
  loss.metric = "loss";
  const TextTable decided = format_claims({loss, untestable_verdict("none")});
  CHECK(decided.header.back() == "p (Holm)");
  CHECK(decided.rows[0] == std::vector<std::string>{"Claim loss", "supported", "loss", "+0.2500", "-0.2500 to +0.7500",
                                                    "-0.0500 to +0.5500", "3", "0.020", "< 0.001"});
  CHECK(decided.rows[1][3] == nothing);

  Verdict open = example_verdict("open", VerdictKind::undecided, 0.25);
  open.looks = 2;
  const TextTable text = format_claims({open, loss});
  CHECK(text.header[9] == "seeds to decide");
  CHECK(text.rows[0][9] == "more than 50");
  CHECK(text.rows[1][9].empty());
  CHECK(text.header[10] == "looks");
  CHECK(text.rows[0][10] == "2");
  CHECK(says(claims_notes({open}), "Looks:"));
  CHECK_FALSE(says(claims_notes({loss}), "Looks:"));
  CHECK(format_claims({}).rows.empty());
}

TEST_CASE("in full the figures of claims are unrounded, and lists are told in a cell") {
  const TextTable text = claims_in_full({example_verdict("first", VerdictKind::supported, 0.125)});
  const auto cell_of = [&](const std::string& column) {
    const auto place = std::find(text.header.begin(), text.header.end(), column);
    REQUIRE(place != text.header.end());
    return text.rows[0][static_cast<std::size_t>(place - text.header.begin())];
  };
  CHECK(cell_of("effect") == "0.125");
  CHECK(cell_of("runs") == "run-a run-b");
  CHECK(cell_of("blocks") == "de-en, 4 experts: 0.125");
  CHECK(cell_of("seeds_to_decide").empty());
}

}  // namespace moe
