#include "metrics/text_tokenizer.h"

#include "core/error.h"
#include "metrics/unicode.h"

#include <algorithm>

namespace moe {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// The rules of 13a look at ASCII alone. A byte of a longer UTF-8 sequence is neither digit nor point, and a space is
// only ever put beside an ASCII character, so they work on bytes. Those of intl work on code points.
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
bool is_ascii_symbol(char c) {
  return is_ascii_punctuation(c) && c != '\'' && !is_point(c) && !is_dash(c);
}
bool is_not_number(char32_t c) {
  return !is_number(c);
}

template <typename Char>
using Predicate = bool (*)(Char);

/// Puts spaces around each character that matches.
template <typename Char>
std::basic_string<Char> space_single(const std::basic_string<Char>& text, Predicate<Char> matches) {
  std::basic_string<Char> spaced;
  for (const Char c : text) {
    if (matches(c)) {
      spaced.append({' ', c, ' '});
    } else {
      spaced += c;
    }
  }
  return spaced;
}

enum class Side { before, after };

/// Puts spaces between two characters that match and on one side of them. From left to right, and a character belongs
/// to one pair only, as in a substitution by regular expression.
template <typename Char>
std::basic_string<Char> space_pairs(const std::basic_string<Char>& text, Predicate<Char> first, Predicate<Char> second,
                                    Side side) {
  std::basic_string<Char> spaced;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      if (side == Side::before) spaced += ' ';
      spaced.append({text[i], ' ', text[i + 1]});
      if (side == Side::after) spaced += ' ';
      ++i;
    } else {
      spaced += text[i];
    }
  }
  return spaced;
}

std::string apply_13a(const std::string& sentence) {
  std::string text = sentence;
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  text = space_single(" " + text + " ", is_ascii_symbol);
  text = space_pairs(text, is_not_digit, is_point, Side::after);
  text = space_pairs(text, is_point, is_not_digit, Side::before);
  return space_pairs(text, is_digit, is_dash, Side::after);
}

/// Unlike 13a, without a space at either end: a point behind the last number of a line stays with it.
std::string apply_international(const std::string& sentence) {
  std::u32string text = code_points(sentence);
  text = space_pairs(text, is_not_number, is_punctuation, Side::after);
  text = space_pairs(text, is_punctuation, is_not_number, Side::before);
  return to_utf8(space_single(text, is_symbol));
}

std::string apply_character(const std::string& sentence) {
  std::u32string spaced;
  for (const char32_t point : code_points(sentence)) spaced.append({point, U' '});
  return to_utf8(spaced);
}

struct NamedTokenizer {
  TextTokenizer tokenizer;
  std::string name;
  std::string (*apply)(const std::string& sentence);
};

const std::vector<NamedTokenizer>& named_tokenizers() {
  static const std::vector<NamedTokenizer> tokenizers = {
      {TextTokenizer::v13a, "13a", apply_13a},
      {TextTokenizer::international, "intl", apply_international},
      {TextTokenizer::character, "char", apply_character},
      {TextTokenizer::none, "none", [](const std::string& sentence) { return sentence; }}};
  return tokenizers;
}

const NamedTokenizer& entry_of(TextTokenizer tokenizer) {
  const auto& all = named_tokenizers();
  return *std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.tokenizer == tokenizer; });
}

}  // namespace

std::string tokenizer_name(TextTokenizer tokenizer) {
  return entry_of(tokenizer).name;
}

TextTokenizer tokenizer_named(const std::string& name) {
  for (const NamedTokenizer& entry : named_tokenizers()) {
    if (name == entry.name) return entry.tokenizer;
  }
  throw Error(fmt::format("There is no tokenizer \"{}\"; there are 13a, intl, char and none.", name));
}

std::vector<std::string> tokenize(std::string_view sentence, TextTokenizer tokenizer) {
  const std::string text = entry_of(tokenizer).apply(std::string(strip_end(sentence)));
  const std::vector<std::string_view> words = split_words(text);
  return {words.begin(), words.end()};
}

}  // namespace moe
