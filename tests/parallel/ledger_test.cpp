#include "parallel/ledger.h"

#include "tests/support/catch.h"

namespace moe {

TEST_CASE("a ledger counts collectives and knows the update") {
  Ledger ledger;
  CHECK(ledger.last().text() == "no collective");
  ledger.begin("losses");
  ledger.set_update(812);
  CHECK(ledger.begin("sums of gradients").text() == "sums of gradients, update 812 (collective 2)");
  ledger.set_layer("encoder.1.ffn");
  CHECK(ledger.begin("rows to experts").text() == "rows to experts, layer encoder.1.ffn, update 812 (collective 3)");
  ledger.set_layer({});
  CHECK(ledger.begin("losses").text() == "losses, update 812 (collective 4)");
}

TEST_CASE("a rank that waited in vain says where, and what it knows of the others") {
  const LedgerEntry mine{7, "losses", 3};
  const std::vector<RankSight> others = {
      {mine, mine}, {}, {std::nullopt, {6, "status", 2}}, {LedgerEntry{8, "x", 3}, {}}};
  CHECK(waiting_sentence(1, mine, 2.5, others) ==
        "Rank 1 waited 2.5 s in losses, update 3 (collective 7); rank 2 does not answer and was last seen in status, "
        "update 2 (collective 6); rank 3 is in x, update 3 (collective 8).");
}

}  // namespace moe
