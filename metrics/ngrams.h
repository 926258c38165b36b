#pragma once
// Counting and matching runs of n symbols, be they characters or words.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moe {

/// A sentence as one number a symbol: code points, or words numbered by WordNumbers.
using Symbols = std::u32string;

/// How often each n-gram occurs. The keys look into the Symbols that were counted, which must outlive them.
using NgramCounts = std::unordered_map<std::u32string_view, std::int64_t>;

/// Numbers words by first appearance, so that sentences which went through the same object can be compared.
class WordNumbers {
 public:
  Symbols number(const std::vector<std::string>& words);

 private:
  std::unordered_map<std::string, char32_t> numbers_;
};

/// All n-grams of one order.
NgramCounts count_ngrams(const Symbols& symbols, std::size_t order);

/// How many n-grams of that order a sentence of `length` symbols has.
std::int64_t ngram_total(std::size_t length, std::size_t order);

/// Sum over n-grams of the smaller of both counts.
std::int64_t count_matches(const NgramCounts& hypothesis, const NgramCounts& reference);

}  // namespace moe
