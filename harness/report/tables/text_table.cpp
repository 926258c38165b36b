#include "harness/report/tables/text_table.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace moe {
namespace {

/// Characters, not bytes: continuation bytes of UTF-8 have the form 10xxxxxx.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string escape_markdown(const std::string& text) {
  return replace_all(replace_all(text, "|", "\\|"), "\n", " ");
}

/// What LaTeX reads as a command, and the marks of our tables, in a form that every engine sets.
std::string escape_latex(const std::string& text) {
  static const std::vector<std::pair<std::string, std::string>> marks = {
      {"±", "$\\pm$"}, {"†", "$^\\dagger$"}, {"‡", "$^\\ddagger$"}, {"–", "--"}, {"·", "$\\cdot$"}, {"−", "$-$"}};
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\textbackslash{}";
    } else if (c == '~' || c == '^') {
      escaped += fmt::format("\\text{}{{}}", c == '~' ? "asciitilde" : "asciicircum");
    } else if (c == '[') {
      escaped += "{[}";  // after the end of a line it would begin an option
    } else if (c == '<' || c == '>') {
      escaped += fmt::format("${}$", c);
    } else if (c == '\n') {
      escaped += ' ';
    } else {
      if (std::string("&%$#_{}").find(c) != std::string::npos) escaped += '\\';
      escaped += c;
    }
  }
  for (const auto& [mark, command] : marks) escaped = replace_all(escaped, mark, command);
  return escaped;
}

std::string escape_csv(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return "\"" + replace_all(text, "\"", "\"\"") + "\"";
}

std::string markdown_line(const TextTable& table, const std::vector<std::string>& cells,
                          const std::vector<std::size_t>& widths) {
  std::string line = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string text = escape_markdown(cells[i]);
    const std::string padding(widths[i] - width(text), ' ');
    line += " " + (table.numeric[i] ? padding + text : text + padding) + " |";
  }
  return line + "\n";
}

}  // namespace

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string to_markdown(const TextTable& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    std::size_t widest = std::max<std::size_t>(width(escape_markdown(table.header[i])), 3);
    for (const auto& row : table.rows) widest = std::max(widest, width(escape_markdown(row[i])));
    widths.push_back(widest);
  }
  std::string rule = "|";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    rule += " " + std::string(widths[i] - 1, '-') + (table.numeric[i] ? ": |" : "- |");
  }
  std::string text = markdown_line(table, table.header, widths) + rule + "\n";
  for (const auto& row : table.rows) text += markdown_line(table, row, widths);
  return text;
}

std::string to_csv(const TextTable& table) {
  const auto line = [](std::vector<std::string> cells) {
    std::transform(cells.begin(), cells.end(), cells.begin(), escape_csv);
    return join(cells, ",") + "\n";
  };
  std::string text = line(table.header);
  for (const auto& row : table.rows) text += line(row);
  return text;
}

std::string to_latex(const TextTable& table) {
  const auto line = [](std::vector<std::string> cells) {
    std::transform(cells.begin(), cells.end(), cells.begin(), escape_latex);
    return join(cells, " & ") + " \\\\\n";
  };
  std::string columns;
  for (const bool numeric : table.numeric) columns += numeric ? 'r' : 'l';
  std::string text = "% \\usepackage{booktabs}\n\\begin{tabular}{" + columns + "}\n\\toprule\n";
  text += line(table.header) + "\\midrule\n";
  for (const auto& row : table.rows) text += line(row);
  return text + "\\bottomrule\n\\end{tabular}\n";
}

std::string escape_html(const std::string& text) {
  std::string escaped = replace_all(text, "&", "&amp;");
  escaped = replace_all(escaped, "<", "&lt;");
  escaped = replace_all(escaped, ">", "&gt;");
  return replace_all(escaped, "\"", "&quot;");
}

}  // namespace moe
