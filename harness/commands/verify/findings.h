#pragma once
// What came of checking one run.

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

struct RunFindings {
  std::string run;                    ///< name of its folder
  bool read = false;                  ///< the result could be read
  bool id_recomputed = false;         ///< its run id was computed again
  std::vector<std::string> problems;  ///< what does not agree, a sentence each with file and JSON path
  std::vector<std::string> notes;     ///< what could only be read, and why; equal texts for equal reasons
  std::int64_t rescored = 0;          ///< files of translations whose BLEU and chrF were computed again
  std::int64_t summed = 0;            ///< files of sentence scores that were added up again
  std::int64_t only_read = 0;         ///< those whose scores were not

  /// Adds it once.
  void problem(const std::string& sentence) {
    for (const std::string& known : problems) {
      if (known == sentence) return;
    }
    problems.push_back(sentence);
  }
};

}  // namespace moe
