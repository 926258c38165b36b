#pragma once
// From the settings of the data to a corpus.

#include "data/corpus.h"
#include "data/data_settings.h"

#include <string>

namespace moe {

/// Adds to `errors` (paths below `path`) whatever is wrong with the settings themselves: a direction that is not
/// SOURCE-TARGET, no direction, a text source without a root. Touches no file.
void check_settings(const DataSettings& settings, const std::string& path, ConfigErrors& errors);

/// Adds to `errors` whatever is wrong with the data files that the settings name, one sentence each with file and line:
/// missing folder or file, an empty one, unequal numbers of lines, invalid UTF-8, too long a word; none if synthetic.
void check_data(const DataSettings& settings, const std::string& path, ConfigErrors& errors);

/// Reads or makes the corpus. Throws Error (request_wrong) with the sentences of check_data when the data is unusable.
/// Lines are those of split_lines (core/text_lines.h).
Corpus load_corpus(const DataSettings& settings);

/// Digest of everything that a run reads from the data: contents of all sets and the settings that shape them, not the
/// path. Sixteen hexadecimal digits.
std::string corpus_digest(const DataSettings& settings, const Corpus& corpus);

}  // namespace moe
