#pragma once
// Made-up languages, so that the suite runs with no data at all.
//
// A grammar produces meanings (who does what to whom, where, with which adjectives and numbers); a language renders a
// meaning with its own lexicon, word order and agreement. Languages are named "aa", "ab", ..., "ba", ...: the first
// letter is the family, which shares most word stems and its word order, so languages differ in relatedness.

#include "core/config.h"
#include "data/corpus.h"
#include "data/data_settings.h"

#include <string>
#include <vector>

namespace moe {

/// Adds an error unless `name` is two lower-case letters, family and member.
void check_synthetic_language(const std::string& name, const std::string& path, ConfigErrors& errors);

/// Adds an error when the grammar cannot say enough different things for the sets asked for.
void check_synthetic_sizes(const DataSettings& settings, const std::string& path, ConfigErrors& errors);

/// Training, validation and test sets ("test" by default) in every direction; a pure function of the settings. The
/// same meaning stands at the same line in all languages; sets do not share meanings.
Corpus make_synthetic_corpus(const DataSettings& settings, const std::vector<LanguagePair>& directions);

}  // namespace moe
