#pragma once
// Verdicts on the claims of a sweep, for people and for other programs.

#include "core/json.h"
#include "harness/report/tables/text_table.h"
#include "harness/verdicts/verdict.h"

#include <string>
#include <vector>

namespace moe {

/// "claims" of summary.json: an object for each verdict; null where nothing could be measured.
Json claims_json(const std::vector<Verdict>& verdicts);

/// The table for people, without its footnotes. No rows: nothing was claimed.
TextTable format_claims(const std::vector<Verdict>& verdicts);

/// What its columns mean, a sentence each; only what occurs is explained.
std::vector<std::string> claims_notes(const std::vector<Verdict>& verdicts);

/// Every figure of claims_json, unrounded; lists are separated by spaces.
TextTable claims_in_full(const std::vector<Verdict>& verdicts);

/// What a claim is called: its words, else its id.
const std::string& claim_name(const Verdict& verdict);

/// "+0.62", with as many decimals as the metric's unit asks for.
std::string format_effect(const Verdict& verdict, double value);

/// "+0.31 to +0.93".
std::string format_effects(const Verdict& verdict, const std::optional<Interval>& interval);

}  // namespace moe
