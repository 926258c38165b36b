#pragma once
// What a rank last did together with the others: what is said when some of them never come.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// One collective of a rank.
struct LedgerEntry {
  std::int64_t number = 0;  ///< counts from 1, on every rank alike; 0: not one of those
  std::string name;         ///< "sum of gradients"
  std::int64_t update = 0;  ///< of the run's training; 0: before the first
  std::string layer = {};   ///< that this rank meets the others for: "encoder.1.ffn"; empty: for no layer

  /// "sum of gradients, update 812 (collective 4071)", or "rows to experts, layer encoder.1.ffn, update ...".
  std::string text() const;
};

/// The last collective of one rank. Every rank makes the same calls in the same order, so numbers agree.
class Ledger {
 public:
  void set_update(std::int64_t update) { update_ = update; }
  void set_layer(const std::string& layer) { layer_ = layer; }
  const LedgerEntry& begin(const std::string& name);
  const LedgerEntry& last() const { return last_; }

 private:
  std::int64_t update_ = 0;
  std::string layer_;
  LedgerEntry last_;
};

/// A rank as another one sees it when it has waited too long.
struct RankSight {
  std::optional<LedgerEntry> answer;  ///< what it says itself that it waits in; none: it says nothing
  LedgerEntry last_seen;              ///< the last collective that it is known to have entered; number 0: none
};

/// "Rank 0 waited 600 s in sum of gradients, update 812 (collective 4071); rank 1 does not answer and was last seen in
/// ...". `others` has an entry for every rank; that of `rank` itself is not read.
std::string waiting_sentence(int rank, const LedgerEntry& mine, double seconds, const std::vector<RankSight>& others);

}  // namespace moe
