#include "core/json.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

#include <algorithm>
#include <set>
#include <utility>

namespace moe {
namespace {

constexpr int deepest_nesting = 100;  // copying and printing a document recurse, so its depth is bounded
constexpr std::size_t shown_characters = 60;

/// "LINE:COLUMN" of the byte before `offset`.
std::string place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t last_newline = before.rfind('\n');
  const std::size_t column = last_newline == std::string_view::npos ? before.size() : before.size() - last_newline - 1;
  return fmt::format("{}:{}", line, std::max<std::size_t>(column, 1));
}

/// The parser's reason without its own account of name and place.
std::string reason_of(const Json::exception& error) {
  std::string reason = error.what();
  const std::size_t identity = reason.find("] ");
  if (identity != std::string::npos) reason.erase(0, identity + 2);
  const std::size_t what = reason.find(" - ");
  if (reason.starts_with("parse error") && what != std::string::npos) reason.erase(0, what + 3);
  if (first_invalid_utf8(reason)) reason.erase(reason.find("; last read"));
  return reason;
}

/// Follows the parser through the document and notes the path of every key that stands twice.
class KeyWatcher {
 public:
  KeyWatcher(const std::string& name, std::vector<std::string>& duplicates) : name_(name), duplicates_(duplicates) {}

  void see(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      MOE_CHECK(depth < deepest_nesting, "{}: nested more than {} levels deep.", name_, deepest_nesting);
      levels_.push_back({event == Event::array_start, 0, "", {}});
    } else if (event == Event::key) {
      levels_.back().key = value.get<std::string>();
      if (!levels_.back().seen.insert(levels_.back().key).second) duplicates_.push_back(path());
    } else {
      if (event != Event::value) levels_.pop_back();
      if (!levels_.empty()) ++levels_.back().index;
    }
  }

 private:
  struct Level {
    bool is_array;
    std::size_t index;
    std::string key;
    std::set<std::string> seen;
  };

  std::string path() const {
    std::string path;
    for (const Level& level : levels_) {
      if (level.is_array) {
        path += fmt::format("[{}]", level.index);
      } else {
        path += (path.empty() ? "" : ".") + level.key;
      }
    }
    return path;
  }

  const std::string& name_;
  std::vector<std::string>& duplicates_;
  std::vector<Level> levels_;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& name, std::vector<std::string>& duplicates) {
  KeyWatcher watcher(name, duplicates);
  try {
    return Json::parse(text.begin(), text.end(), [&](int depth, Json::parse_event_t event, Json& value) {
      watcher.see(depth, event, value);
      return true;
    });
  } catch (const Json::parse_error& error) {
    throw Error(fmt::format("{}:{}: not valid JSON: {}.", name, place(text, error.byte), reason_of(error)));
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: not valid JSON: {}.", name, reason_of(error)));
  }
}

Json parse_json(std::string_view text, const std::string& name) {
  std::vector<std::string> duplicates;
  Json value = parse_json(text, name, duplicates);
  MOE_CHECK(duplicates.empty(), "{}: {}: {}", name, duplicates.front(), duplicate_key_sentence);
  return value;
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

std::string format_json(const Json& value) {
  return value.dump(2) + "\n";
}

std::string valid_utf8(const std::string& text) {
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

std::string short_json(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= shown_characters) return text;
  std::size_t end = shown_characters;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a UTF-8 sequence
  return text.substr(0, end) + "...";
}

}  // namespace moe
