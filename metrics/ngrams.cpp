#include "metrics/ngrams.h"

#include <algorithm>

namespace moe {

Symbols WordNumbers::number(const std::vector<std::string>& words) {
  Symbols symbols;
  symbols.reserve(words.size());
  for (const std::string& word : words) {
    symbols += numbers_.try_emplace(word, static_cast<char32_t>(numbers_.size())).first->second;
  }
  return symbols;
}

NgramCounts count_ngrams(const Symbols& symbols, std::size_t order) {
  NgramCounts counts;
  const std::u32string_view view = symbols;
  for (std::size_t start = 0; start + order <= view.size(); ++start) ++counts[view.substr(start, order)];
  return counts;
}

std::int64_t ngram_total(std::size_t length, std::size_t order) {
  return length < order ? 0 : static_cast<std::int64_t>(length - order + 1);
}

std::int64_t count_matches(const NgramCounts& hypothesis, const NgramCounts& reference) {
  std::int64_t matches = 0;
  for (const auto& [ngram, count] : hypothesis) {
    const auto found = reference.find(ngram);
    if (found != reference.end()) matches += std::min(count, found->second);
  }
  return matches;
}

}  // namespace moe
