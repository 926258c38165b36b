#pragma once
// Which runs a claim speaks of, and which of them belong together.

#include "harness/results/result_set.h"
#include "harness/sweep/claim.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// The runs that a selection names.
struct Selection {
  std::vector<std::string> keys;       ///< dotted
  std::vector<const RunResult*> runs;  ///< finished
  std::size_t unfinished = 0;
};

Selection select_runs(const Json& selection, const ResultSet& results);

/// The runs of a selection that match another one too.
Selection narrowed(const Selection& selection, const Json& condition);

/// What tells runs of one strategy apart when some keys do not count: "data.train_share = 0.5, ...".
class PairingKeys {
 public:
  /// `named`: keys that the claim names. Left out beside them are options of strategies, the seed, the digest of the
  /// data where a key of the data is named, and what the sweeps' overrides set for strategies or named keys.
  PairingKeys(const ResultSet& results, const std::vector<std::string>& named);

  /// The values of the keys that count. Equal for runs that may be compared.
  std::string conditions_of(const RunResult& run) const;
  /// The same for people: "de-en, train_share 0.5".
  std::string name_of(const RunResult& run) const;

 private:
  std::vector<std::string> keys_;
};

/// Labels of the runs' strategies, each once: "thor, thor (consistency 0)".
std::string labels_of(const std::vector<const RunResult*>& runs);

/// Number of experts of a run whose strategy has that option.
std::optional<std::int64_t> experts_of(const RunResult& run);

}  // namespace moe
