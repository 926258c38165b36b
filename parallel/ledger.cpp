#include "parallel/ledger.h"

#include <fmt/format.h>

namespace moe {

std::string LedgerEntry::text() const {
  if (number == 0) return name.empty() ? "no collective" : name;
  return fmt::format("{}{}, update {} (collective {})", name, layer.empty() ? "" : ", layer " + layer, update, number);
}

const LedgerEntry& Ledger::begin(const std::string& name) {
  last_ = {last_.number + 1, name, update_, layer_};
  return last_;
}

std::string waiting_sentence(int rank, const LedgerEntry& mine, double seconds, const std::vector<RankSight>& others) {
  std::string sentence = fmt::format("Rank {} waited {:g} s in {}", rank, seconds, mine.text());
  for (std::size_t other = 0; other < others.size(); ++other) {
    const RankSight& sight = others[other];
    if (other == static_cast<std::size_t>(rank)) continue;
    if (!sight.answer) {
      sentence += fmt::format("; rank {} does not answer and was last seen in {}", other, sight.last_seen.text());
    } else if (sight.answer->number != mine.number || sight.answer->name != mine.name) {
      sentence += fmt::format("; rank {} is in {}", other, sight.answer->text());
    }
  }
  return sentence + ".";
}

}  // namespace moe
