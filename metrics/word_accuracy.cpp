#include "metrics/word_accuracy.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>

namespace moe {

double word_accuracy(const std::vector<std::string>& hypotheses, const std::vector<std::string>& references) {
  MOE_CHECK(hypotheses.size() == references.size(), "{} hypotheses cannot be compared with {} references.",
            hypotheses.size(), references.size());
  std::size_t right = 0, all = 0;
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].empty()) continue;
    const std::vector<std::string> expected = split(references[i], ' '), found = split(hypotheses[i], ' ');
    all += expected.size();
    for (std::size_t w = 0; w < std::min(expected.size(), found.size()); ++w) right += expected[w] == found[w] ? 1 : 0;
  }
  return all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all);
}

}  // namespace moe
