#pragma once
// Share of words that are right at their place: for made-up data whose target has one word for each place.

#include <string>
#include <vector>

namespace moe {

/// Of all words of the references (parts between spaces), how many stand at the same place of the hypothesis, 0 to 1; 0
/// without words. As many hypotheses as references.
double word_accuracy(const std::vector<std::string>& hypotheses, const std::vector<std::string>& references);

}  // namespace moe
