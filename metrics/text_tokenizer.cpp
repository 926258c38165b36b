#include "metrics/text_tokenizer.h"

#include "core/error.h"
#include "metrics/unicode.h"

namespace moe {
namespace {

using Predicate = bool (*)(char);

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// The rules of 13a look at ASCII alone. A byte of a longer UTF-8 sequence is neither digit nor point, and a space is
// only ever put beside an ASCII character, so they work on bytes.
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_not_digit(char c) {
  return !is_digit(c);
}
bool is_point(char c) {
  return c == '.' || c == ',';
}
bool is_dash(char c) {
  return c == '-';
}
bool is_symbol(char c) {
  return is_ascii_punctuation(c) && c != '\'' && !is_point(c) && !is_dash(c);
}

std::string space_symbols(const std::string& text) {
  std::string spaced;
  for (const char c : text) {
    if (is_symbol(c)) {
      spaced.append({' ', c, ' '});
    } else {
      spaced += c;
    }
  }
  return spaced;
}

/// Puts spaces between two characters that match, and `before` and `after` around them. From left to right, and a
/// character belongs to one pair only, as in a substitution by regular expression.
std::string space_pairs(const std::string& text, Predicate first, Predicate second, std::string_view before,
                        std::string_view after) {
  std::string spaced;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      spaced.append(before).append({text[i], ' ', text[i + 1]}).append(after);
      ++i;
    } else {
      spaced += text[i];
    }
  }
  return spaced;
}

std::string apply_13a(std::string_view sentence) {
  std::string text(strip_end(sentence));
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  text = space_symbols(" " + text + " ");
  text = space_pairs(text, is_not_digit, is_point, "", " ");
  text = space_pairs(text, is_point, is_not_digit, " ", "");
  return space_pairs(text, is_digit, is_dash, "", " ");
}

}  // namespace

std::string tokenizer_name(TextTokenizer tokenizer) {
  return tokenizer == TextTokenizer::v13a ? "13a" : "none";
}

TextTokenizer tokenizer_named(const std::string& name) {
  for (const TextTokenizer tokenizer : {TextTokenizer::v13a, TextTokenizer::none}) {
    if (name == tokenizer_name(tokenizer)) return tokenizer;
  }
  throw Error(fmt::format("There is no tokenizer \"{}\"; there are 13a and none.", name));
}

std::vector<std::string> tokenize(std::string_view sentence, TextTokenizer tokenizer) {
  const std::string text = tokenizer == TextTokenizer::v13a ? apply_13a(sentence) : std::string(sentence);
  const std::vector<std::string_view> words = split_words(text);
  return {words.begin(), words.end()};
}

}  // namespace moe
