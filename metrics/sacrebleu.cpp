#include "metrics/sacrebleu.h"

#include "core/error.h"

namespace moe {

void check_references(const std::vector<std::string>& hypotheses, const References& references) {
  MOE_CHECK(!hypotheses.empty(), "There is no hypothesis to score.");
  MOE_CHECK(!references.empty(), "There is no reference to score {} hypotheses against.", hypotheses.size());
  for (const std::vector<std::string>& reference : references) {
    MOE_CHECK(reference.size() == hypotheses.size(), "{} hypotheses cannot be scored against {} reference sentences.",
              hypotheses.size(), reference.size());
  }
}

std::vector<std::string> references_of(const References& references, std::size_t sentence) {
  std::vector<std::string> sentences;
  sentences.reserve(references.size());
  for (const std::vector<std::string>& reference : references) sentences.push_back(reference[sentence]);
  return sentences;
}

}  // namespace moe
