#pragma once
// A table of text and the forms it is written in.

#include <string>
#include <vector>

namespace moe {

/// What a cell says where there is no figure.
inline constexpr const char* nothing = "–";

struct TextTable {
  std::vector<std::string> header;
  std::vector<bool> numeric;  ///< per column: aligned to the right
  std::vector<std::vector<std::string>> rows;
};

/// A GitHub-flavoured table, columns padded to one width so that it reads well as plain text.
std::string to_markdown(const TextTable& table);

/// RFC 4180 with a header line and bare newlines.
std::string to_csv(const TextTable& table);

/// A tabular of booktabs for a paper, with all that LaTeX would take for its own escaped.
std::string to_latex(const TextTable& table);

/// Every `from` in `text` becomes `to`.
std::string replace_all(std::string text, const std::string& from, const std::string& to);

/// Text in HTML: &, <, > and quotes escaped.
std::string escape_html(const std::string& text);

}  // namespace moe
