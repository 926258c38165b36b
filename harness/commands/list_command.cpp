#include "harness/commands/list_command.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/commands/catalogue.h"

#include <algorithm>
#include <array>
#include <ostream>

namespace moe {
namespace {

constexpr std::size_t page_width = 110;
constexpr std::size_t indent = 4;
constexpr std::size_t gap = 2;

/// Words of `text` in lines of at most `width` characters; a longer word stands alone.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : split(text, ' ')) {
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (line.size() + 1 + word.size() <= width) {
      line += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

std::string default_text(const FieldListing& option) {
  if (option.default_value.is_null()) return "none";
  if (option.default_value == Json("")) return "";
  return option.default_value.is_string() ? option.default_value.get<std::string>() : option.default_value.dump();
}

using Row = std::array<std::string, 4>;  ///< option, type, default, meaning

std::vector<Row> option_rows(const std::vector<FieldListing>& options) {
  std::vector<Row> rows = {{"option", "type", "default", "meaning"}};
  for (const FieldListing& option : options) {
    const std::string allowed = option.allowed.empty() ? "" : fmt::format(" ({})", option.allowed);
    rows.push_back({option.path, option.type, default_text(option), option.help + allowed});
  }
  return rows;
}

void print_options(const std::vector<Row>& rows, const std::array<std::size_t, 3>& widths, std::ostream& out) {
  const std::size_t before = indent + widths[0] + widths[1] + widths[2] + 3 * gap;
  for (const Row& row : rows) {
    std::string line(indent, ' ');
    for (std::size_t column = 0; column < widths.size(); ++column) {
      line += fmt::format("{:{}}", row[column], widths[column] + gap);
    }
    for (const std::string& text : wrap(row.back(), page_width - before)) {
      out << line << text << '\n';
      line.assign(before, ' ');
    }
  }
}

/// Options with the same keys and meanings, whatever their defaults.
bool share_options(const CatalogueItem& a, const CatalogueItem& b) {
  const auto is_same = [](const FieldListing& x, const FieldListing& y) {
    return x.path == y.path && x.help == y.help;
  };
  return std::equal(a.options.begin(), a.options.end(), b.options.begin(), b.options.end(), is_same);
}

std::vector<FieldListing> other_defaults(const CatalogueItem& item, const CatalogueItem& base) {
  std::vector<FieldListing> options;
  for (std::size_t i = 0; i < item.options.size(); ++i) {
    if (item.options[i].default_value != base.options[i].default_value) options.push_back(item.options[i]);
  }
  return options;
}

/// A paper's own setting has the options of the router that it is a setting of: only its own defaults are shown.
void print_item(const CatalogueItem& item, const CatalogueItem& like, const std::array<std::size_t, 3>& widths,
                std::ostream& out) {
  out << item.name << '\n';
  std::vector<std::string> lines = wrap(item.summary, page_width - indent);
  if (!item.source.empty()) {
    for (const std::string& line : wrap(item.source, page_width - indent)) lines.push_back(line);
  }
  if (!item.tensors.empty()) lines.push_back("tensors: " + join(item.tensors, ", "));
  std::vector<FieldListing> options = item.options;
  if (&like != &item) {
    options = other_defaults(item, like);
    lines.push_back(fmt::format("options of {}{}", like.name, options.empty() ? "" : ", with other defaults:"));
  }
  for (const std::string& line : lines) out << std::string(indent, ' ') << line << '\n';
  if (!options.empty()) print_options(option_rows(options), widths, out);
}

void print_text(const std::vector<CatalogueItem>& items, std::ostream& out) {
  std::array<std::size_t, 3> widths{};
  for (const CatalogueItem& item : items) {
    for (const Row& row : option_rows(item.options)) {
      for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const CatalogueItem& item : items) {
    if (&item != &items.front()) out << '\n';
    const auto like = std::find_if(items.begin(), items.end(), [&](const auto& other) {
      return &other == &item || (!item.options.empty() && share_options(other, item));
    });
    print_item(item, *like, widths, out);
  }
}

Json to_json(const CatalogueItem& item) {
  Json options = Json::array();
  for (const FieldListing& option : item.options) {
    options.push_back({{"key", option.path},
                       {"type", option.type},
                       {"default", option.default_value},
                       {"allowed", option.allowed},
                       {"help", option.help}});
  }
  Json json = {{"name", item.name}, {"summary", item.summary}, {"source", item.source}, {"options", options}};
  if (!item.tensors.empty()) json["tensors"] = item.tensors;
  return json;
}

}  // namespace

void list_things(const std::string& what, bool json, std::ostream& out) {
  const std::vector<CatalogueItem> items = catalogue(what);
  if (!json) {
    print_text(items, out);
    return;
  }
  Json list = Json::array();
  for (const CatalogueItem& item : items) list.push_back(to_json(item));
  out << format_json(list);
}

}  // namespace moe
