#pragma once
// Names of languages and of directions between them.

#include "data/corpus.h"

#include <optional>
#include <string>
#include <vector>

namespace moe {

/// The parts of SOURCE-TARGET, or nothing when `name` is no direction between two different languages. A language is
/// letters, digits and _, or, as in BCP 47, two or three small letters with a script, a region or both behind hyphens:
/// de, zho_Hans, pt-BR, es-419, sr-Latn, sr-Cyrl-RS. No name can be taken apart in two ways.
std::optional<LanguagePair> parse_language_pair(const std::string& name);

/// Those of the names that are directions.
std::vector<LanguagePair> parse_language_pairs(const std::vector<std::string>& names);

}  // namespace moe
