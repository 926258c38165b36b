#pragma once
// Sweep files for tests, written to a folder that goes with the test.

#include "core/error.h"
#include "core/files.h"
#include "core/temporary_folder.h"
#include "core/text.h"
#include "harness/sweep/sweep.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe::test {

/// A sweep over made-up data that is right as it stands; `parts` are added or replaced.
inline Json small_sweep(const Json& parts = Json::object()) {
  Json sweep = {{"data", {{"source", "synthetic"}, {"directions", {"aa-ab"}}}}, {"strategy", {{"router", "switch"}}}};
  sweep.update(parts);
  return sweep;
}

inline Json json(const std::string& text) {
  return parse_json(text, "test");
}

inline Sweep read_text(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  write_file(folder.path() / "s.json", text);
  return read_sweep(folder.path() / "s.json", settings);
}

inline Sweep read(const Json& sweep, const std::vector<std::string>& settings = {}) {
  return read_text(sweep.dump(), settings);
}

/// The errors of a sweep file, without the name of the file.
inline std::vector<std::string> errors_of_text(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "s.json";
  write_file(file, text);
  try {
    read_sweep(file, settings);
    return {};
  } catch (const Error& error) {
    std::vector<std::string> lines = split(error.what(), '\n');
    for (std::string& line : lines) line.erase(0, file.string().size() + 1);
    for (std::string& line : lines) line.erase(0, line.starts_with(" ") ? 1 : 0);
    return lines;
  }
}

inline std::vector<std::string> errors_of(const Json& sweep, const std::vector<std::string>& settings = {}) {
  return errors_of_text(sweep.dump(), settings);
}

/// "label eEXPERTS sSEED" of each run.
inline std::vector<std::string> names_of(const Sweep& sweep) {
  std::vector<std::string> names;
  for (const RunSpec& run : sweep.runs) {
    names.push_back(run.strategy.label() + " e" + std::to_string(run.strategy.experts()) + " s" +
                    std::to_string(run.training.seed));
  }
  return names;
}

using Lines = std::vector<std::string>;

}  // namespace moe::test
