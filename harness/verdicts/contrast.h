#pragma once
// The effect that a claim speaks of, as a weighted sum of runs' scores for each seed.
//
// A difference of two strategies has the weights +1 and -1, a growth the weights of a least-squares slope, an
// interaction those of two differences. Tests over seeds and over sentences need to know nothing else of a claim.

#include "harness/results/result_set.h"
#include "harness/sweep/claim.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace moe {

/// A run's scores, with their share in the effect of its seed.
struct Term {
  const RunResult* run = nullptr;
  double weight = 0;
};

/// What the effect is within one block of runs that share all but strategy and seed; the effect of a seed is the mean
/// over the blocks.
struct ContrastBlock {
  std::string key;                                    ///< what its runs share, in full
  std::string name;                                   ///< "de-en, 4 experts"; empty where there is one block
  std::map<std::int64_t, std::vector<Term>> by_seed;  ///< by seed
};

struct Contrast {
  std::vector<ContrastBlock> blocks;  ///< all with the same seeds
  std::string first;                  ///< labels of the strategies of the first selection
  std::string second;                 ///< and of the second, empty without one
  std::size_t unpaired = 0;           ///< runs of the selections that have no partner, or did not finish
  std::string problem;                ///< why there is no effect, with its JSON path; empty: there is one

  std::vector<std::int64_t> seeds() const;
  /// Every run with a weight, once.
  std::vector<const RunResult*> runs() const;
};

/// The contrast of a claim that stands at `place` ("claims[2]"). Runs are paired by everything that varies, but for the
/// keys that the selections name, other options of the strategies, and settings that the sweep's overrides tie to those
/// (what tuning has chosen for a strategy).
Contrast make_contrast(const ClaimSettings& claim, const std::string& place, const ResultSet& results);

/// Of two configurations, paired by seed.
Contrast contrast_of_pair(const std::vector<const RunResult*>& first, const std::vector<const RunResult*>& second,
                          const std::string& metric);

}  // namespace moe
