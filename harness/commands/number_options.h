#pragma once
// Numbers of the command line, refused as those of a sweep are: with what was found and what is allowed.

#include "core/config.h"

#include <cstdint>
#include <functional>
#include <string>

namespace moe {

/// More threads than anybody computes with, and few enough to count on.
inline constexpr std::int64_t most_threads = 4096;

/// Says what is wrong with the text of an option; empty when nothing is.
using OptionCheck = std::function<std::string(const std::string& text)>;

/// Takes whole numbers from `minimum` to `maximum`.
OptionCheck whole_number(std::int64_t minimum, std::int64_t maximum);

/// The text as a number where it is a finite one, else as a string.
Json number_or_text(const std::string& text);

/// Takes what the key of a settings struct takes, `--beam` what `evaluation.beam` does.
template <class Settings>
OptionCheck number_of(const std::string& key) {
  return [key](const std::string& text) -> std::string {
    Settings settings;
    ConfigErrors errors;
    Json object = Json::object();
    object[key] = number_or_text(text);
    read_settings(settings, object, "", errors);
    return errors.empty() ? "" : errors.errors().front().sentence;
  };
}

}  // namespace moe
