#pragma once
// What BLEU and chrF share as sacreBLEU (Post 2018, "A Call for Clarity in Reporting BLEU Scores") defines them.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// The release whose definitions our scores follow and whose signatures they carry.
inline constexpr const char* sacrebleu_version = "2.6.0";

/// references[r][s]: sentence s of reference translation r.
using References = std::vector<std::vector<std::string>>;

/// What one sentence adds to a metric's corpus statistics, as a row of counts.
using Summands = std::vector<std::int64_t>;

/// Throws unless there is a hypothesis and a reference, and every reference has one sentence for each hypothesis.
void check_references(const std::vector<std::string>& hypotheses, const References& references);

/// All reference translations of one sentence.
std::vector<std::string> references_of(const References& references, std::size_t sentence);

}  // namespace moe
