#pragma once
// The corpus that source "text" reads: line-aligned files SPLIT.LANG in one folder.

#include "data/corpus.h"
#include "data/data_settings.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moe {

/// ROOT/SPLIT.LANGUAGE.
std::filesystem::path text_file(const DataSettings& settings, const std::string& split, const std::string& language);

/// The files of all sets and languages; one that several directions share stands there several times.
std::vector<std::filesystem::path> text_files(const DataSettings& settings);

/// Reads all sets. What is wrong with them goes to `errors`, and then the corpus is not usable; what was left out of
/// files goes to `notes`, a sentence for each file at most.
Corpus read_text_corpus(const DataSettings& settings, const std::string& path, ConfigErrors& errors,
                        std::vector<std::string>& notes);

/// Digests of the lines of each file by its path, to tell which one changed. None for made-up languages.
std::map<std::string, std::string> text_digests(const DataSettings& settings, const Corpus& corpus);

/// check_data (load_corpus.h) with the notes of read_text_corpus.
void check_data(const DataSettings& settings, const std::string& path, ConfigErrors& errors,
                std::vector<std::string>& notes);

}  // namespace moe
