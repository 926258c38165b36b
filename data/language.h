#pragma once
// One made-up language: says with its words, forms and word order what the grammar means.

#include "data/lexicon.h"
#include "data/meanings.h"

#include <string>
#include <vector>

namespace moe {

class Language {
 public:
  /// `name` is two lower-case letters, family and member.
  Language(const std::string& name, const SyntheticSettings& settings);

  std::string render(const Meaning& meaning) const;
  const Lexicon& lexicon() const { return lexicon_; }
  const Typology& typology() const { return typology_; }

 private:
  using Words = std::vector<std::string>;
  Words noun_phrase(const NounPhrase& phrase, bool is_object) const;
  Words verb_group(const Meaning& meaning) const;
  Words place(const Meaning& meaning) const;

  Typology typology_;
  Lexicon lexicon_;
};

}  // namespace moe
