#pragma once
// Cutting sentences into the words that BLEU counts.

#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// Names as in sacreBLEU's signature; not to be confused with the subword Tokenizer of data/.
enum class TextTokenizer {
  none,           ///< white space only
  v13a,           ///< "13a", as mteval-v13a of WMT
  international,  ///< "intl", as mteval-v14: all punctuation and symbols of Unicode
  character,      ///< "char", each code point that is not white space
};

/// "none", "13a", "intl", "char".
std::string tokenizer_name(TextTokenizer tokenizer);

/// The tokenizer of that name. Throws for an unknown name, listing the known ones.
TextTokenizer tokenizer_named(const std::string& name);

/// The words of a UTF-8 sentence. Trailing white space is dropped first.
std::vector<std::string> tokenize(std::string_view sentence, TextTokenizer tokenizer);

}  // namespace moe
