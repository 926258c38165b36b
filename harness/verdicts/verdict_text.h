#pragma once
// Verdicts in words.

#include "harness/verdicts/contrast.h"
#include "harness/verdicts/verdict.h"

#include <string>

namespace moe {

/// What a claim says, from its parts, where its author wrote nothing.
std::string default_words(const ClaimSettings& claim, const Contrast& contrast);

/// The sentence of a verdict whose other parts are filled. `problem`: why it is untestable, empty for any other.
std::string verdict_sentence(const Verdict& verdict, const Contrast& contrast, const std::string& problem);

/// "1.92 BLEU", "0.031 nats per token": without a sign.
std::string effect_text(double effect, const std::string& metric);

}  // namespace moe
