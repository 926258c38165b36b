#pragma once
// Texts of the user in a job script: bash and sbatch read them by different rules.

#include <string>

namespace moe {

/// The text as one word of bash, whatever it holds.
std::string shell_quoted(const std::string& text);

/// The text as the value of an option on a line `#SBATCH --option=VALUE`. Outside of quotes sbatch splits at spaces and
/// ends the line at `#`; a backslash takes the meaning off the next character inside of them too.
std::string sbatch_quoted(const std::string& text);

/// A path as a part of a pattern for log files, where `%j` and the like stand for numbers of the job. Not quoted.
std::string log_pattern(const std::string& path);

/// Throws Error where `text`, the value of `what`, has a control character: a new line would end a line of a script.
void check_no_control_character(const std::string& what, const std::string& text);

}  // namespace moe
