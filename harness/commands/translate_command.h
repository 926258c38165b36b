#pragma once
// `moe-bench translate`: a trained run as a filter.

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

namespace moe {

struct TranslateRequest {
  std::filesystem::path run_folder;
  std::string direction;
  std::optional<std::int64_t> beam;                 ///< none: as the run's test sets
  std::optional<double> length_penalty;             ///< none: as the run's test sets
  std::optional<double> max_length_ratio;           ///< none: as the run's test sets
  std::optional<std::int64_t> max_length_constant;  ///< none: as the run's test sets
  std::optional<std::string> inference;             ///< none: as the run's test sets; only for routers with that option
  std::string device = "cpu";
};

/// Translates `in`, line by line, to `out`, with the weights that the run's test sets were scored with; a line without
/// words gives an empty one. How many translations the length limit cut, if any, is said in `notes`. Throws Error for a
/// folder without a checkpoint, an unknown direction, an inference mode that the router does not have, and invalid
/// UTF-8 (with its line). Lines are those of split_lines, whose note goes to `notes` too.
void run_translate(const TranslateRequest& request, std::istream& in, std::ostream& out, std::ostream& notes);

}  // namespace moe
