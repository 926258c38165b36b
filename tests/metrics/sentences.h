#pragma once
// Three translations with one reference or two, for tests of metrics.

#include "metrics/sacrebleu.h"

#include <string>
#include <vector>

namespace moe {

inline const std::vector<std::string> hypotheses = {"The cat slept on the mat.", "It rained all day, sadly.",
                                                    "2,500 people came."};
inline const References two_references = {
    {"The cat lay on the mat.", "it was raining the whole day.", "Some 2,500 people came."},
    {"The cat was asleep on a mat.", "It rained all day.", "About 2500 people came."}};
inline const References one_reference = {two_references[0]};

}  // namespace moe
