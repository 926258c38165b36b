#pragma once
// What tests ask of an error: that it names file, path and value. How its sentence goes is tested beside the code that
// makes it (tests/core/config_test.cpp for settings).

#include "core/error.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

namespace moe {

/// The sentence of the Error that the work throws; empty when it throws none.
template <class Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Whether the error begins with the first part, its place, and has each of the others in it; otherwise the failed
/// check prints it.
inline bool names(const std::string& error, const std::vector<std::string>& parts) {
  bool all = !parts.empty() && error.starts_with(parts.front());
  for (const std::string& part : parts) all = all && error.find(part) != std::string::npos;
  if (!all) {
    for (const std::string& part : parts) UNSCOPED_INFO("expected: " << part);
    UNSCOPED_INFO("error: " << error);
  }
  return all;
}

/// Whether there is one error for each list of parts, in their order, and each names its own.
inline bool each_names(const std::vector<std::string>& errors, const std::vector<std::vector<std::string>>& parts) {
  bool all = errors.size() == parts.size();
  if (!all) {
    for (const std::string& error : errors) UNSCOPED_INFO("error: " << error);
    UNSCOPED_INFO(parts.size() << " errors were expected.");
  }
  for (std::size_t i = 0; all && i < errors.size(); ++i) all = names(errors[i], parts[i]);
  return all;
}

}  // namespace moe
