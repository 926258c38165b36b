#include "harness/results/routing_choices.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace moe {
namespace {

std::int64_t choice_of(const std::string& word, const std::string& place) {
  std::int64_t choice = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), choice);
  MOE_CHECK(error == std::errc() && end == word.data() + word.size() && choice >= -1,
            "{}: \"{}\" is no choice of an expert.", place, word);
  return choice;
}

}  // namespace

void write_routing_choices(const std::filesystem::path& file, const RoutingChoices& choices) {
  std::string text;
  for (const std::vector<std::int64_t>& layer : choices) {
    for (std::size_t t = 0; t < std::min(layer.size(), most_kept_choices); ++t) {
      text += (t == 0 ? "" : " ") + std::to_string(layer[t]);
    }
    text += '\n';
  }
  write_file(file, text);
}

RoutingChoices read_routing_choices(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  MOE_CHECK(text.ends_with('\n'), "{}: is cut.", file.string());
  const std::vector<std::string> lines = split(text, '\n');
  RoutingChoices choices;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    choices.emplace_back();
    if (lines[i].empty()) continue;
    for (const std::string& word : split(lines[i], ' ')) {
      choices.back().push_back(choice_of(word, fmt::format("{}:{}", file.string(), i + 1)));
    }
  }
  return choices;
}

}  // namespace moe
