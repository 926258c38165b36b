#pragma once
// What results say about one claim of a sweep.

#include "metrics/statistics.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Beyond so many seeds nobody is told how many would decide a claim.
inline constexpr int most_seeds_to_decide = 50;

enum class VerdictKind {
  supported,     ///< real, in the stated direction
  contradicted,  ///< real, the other way
  undecided,     ///< neither
  untestable,    ///< too few seeds, an undertrained run, a positive control that is not supported, nothing to pair
};

/// The effect within one block of runs that differ in strategy and seed alone: one data set, one number of experts.
struct BlockEffect {
  std::string name;   ///< "de-en, 4 experts"
  double effect = 0;  ///< mean over seeds
  std::size_t seeds = 0;
};

/// What was measured. Effects are in the metric's unit; above 0 is better for the first selection (`better`, `equal`,
/// `ratio_of_parameters`), growth (`grows_with`), or a larger gain under the first condition (`interaction`).
struct Evidence {
  double effect = 0;                           ///< mean over seeds and blocks
  std::vector<double> seed_effects;            ///< of each seed, ascending seeds
  std::optional<Interval> seeds_interval;      ///< of the mean over seeds, Student's t; none with one seed
  std::optional<Interval> sentences_interval;  ///< paired bootstrap over the sentences of the test sets; none untested
  std::size_t seeds = 0;
  std::size_t sentences = 0;      ///< of all test sets
  std::optional<double> seeds_p;  ///< two-sided, against the margin; none where nothing was tested, nor are those below
  std::optional<double> sentences_p;
  std::optional<double> p;       ///< both must speak: the larger; of the hypothesis that the verdict rejects
  std::optional<double> holm_p;  ///< after Holm's correction over the claims that were tested
  std::vector<BlockEffect> blocks;
};

struct Verdict {
  std::string id;
  std::string says;    ///< the claim in words, as the sweep has it
  std::string kind;    ///< "better", "equal", "grows_with", "ratio_of_parameters", "interaction"
  std::string metric;  ///< name in the table of metrics
  VerdictKind verdict = VerdictKind::untestable;
  std::string sentence;  ///< the verdict in words, never stronger than it is
  double margin = 0;     ///< what the effect must exceed
  double delta = 0;      ///< half width of the band of equality
  double level = 0.05;
  std::optional<Evidence> evidence;  ///< none where nothing could be measured
  /// Of undecided: seeds for 80 % power at the observed spread; none: more than most_seeds_to_decide.
  std::optional<int> seeds_to_decide;
  bool open_by_sentences = false;  ///< undecided because of the test set's size, whatever the number of seeds
  bool by_equality = false;        ///< contradicted because equality within delta was shown
  std::int64_t looks = 0;          ///< how many times it was tested on more runs than before
  std::size_t looked_runs = 0;     ///< runs of the last of those times
  std::size_t unpaired = 0;        ///< runs of the selections that were left out: they have no partner
  std::vector<std::string> runs;   ///< ids of the runs that were used
};

/// "supported", ...
std::string verdict_name(VerdictKind verdict);

}  // namespace moe
