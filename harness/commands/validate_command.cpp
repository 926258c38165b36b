#include "harness/commands/validate_command.h"

#include "core/text.h"
#include "data/text_corpus.h"
#include "harness/sweep/sweep.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>
#include <set>

namespace moe {
namespace {

/// The text files that the runs name and that are not there.
std::vector<std::string> missing_files(const Sweep& sweep) {
  std::set<std::string> files;
  for (const RunSpec& run : sweep.runs) {
    if (run.data.source != "text") continue;
    for (const std::filesystem::path& file : text_files(run.data)) files.insert(file.string());
  }
  std::vector<std::string> missing;
  std::error_code failure;
  for (const std::string& file : files) {
    if (!std::filesystem::exists(file, failure)) missing.push_back(file);
  }
  return missing;
}

bool is_about_missing(const ConfigError& error, const std::vector<std::string>& missing) {
  return error.path == "data.root" || std::any_of(missing.begin(), missing.end(), [&](const std::string& file) {
           return error.sentence.starts_with(file + ":");
         });
}

void print_errors(const std::string& file, const ConfigErrors& errors, std::ostream& out) {
  for (const std::string& sentence : errors.sentences()) out << file << ": " << sentence << '\n';
}

struct StrategyRuns {
  std::string label;
  std::int64_t runs = 0;
  std::set<std::int64_t> experts;
};

void print_summary(const std::string& file, const Sweep& sweep, std::ostream& out) {
  std::vector<StrategyRuns> strategies;
  std::size_t width = 0;
  for (const RunSpec& run : sweep.runs) {
    const std::string label = run.strategy.label();
    auto found = std::find_if(strategies.begin(), strategies.end(), [&](const auto& s) { return s.label == label; });
    if (found == strategies.end()) found = strategies.insert(found, {label, 0, {}});
    ++found->runs;
    if (run.strategy.options.contains("experts")) found->experts.insert(run.strategy.experts());
    width = std::max(width, label.size());
  }
  out << fmt::format("{}: {} of {}.\n", file, count_of(std::ssize(sweep.runs), "run"),
                     count_of(std::ssize(strategies), "strategy", "strategies"));
  for (const StrategyRuns& strategy : strategies) {
    const std::string experts =
        strategy.experts.empty() ? "" : fmt::format(", experts {}", fmt::join(strategy.experts, " "));
    out << fmt::format("  {:{}}  {}{}\n", strategy.label, width, count_of(strategy.runs, "run"), experts);
  }
}

}  // namespace

ExitStatus validate_sweep(const std::filesystem::path& file, const std::vector<std::string>& settings,
                          bool look_at_data, std::ostream& out, std::ostream& errors) {
  ConfigErrors found;
  Sweep sweep;
  try {
    sweep = read_sweep(file, settings, found);
  } catch (const Error& error) {
    errors << error.what() << '\n';
    return error.status();
  }
  if (look_at_data) check_files(sweep, found);
  bool wrong = !found.empty();
  if (look_at_data) {
    ConfigErrors data_errors;
    for (const std::string& note : check_data(sweep, data_errors)) errors << note << '\n';
    const std::vector<std::string> missing = missing_files(sweep);
    for (const ConfigError& error : data_errors.errors()) {
      found.add(error.path, error.sentence);
      wrong = wrong || !is_about_missing(error, missing);
    }
  }
  print_errors(file.string(), found, errors);
  if (wrong) return ExitStatus::request_wrong;
  print_summary(file.string(), sweep, out);
  return ExitStatus::success;
}

}  // namespace moe
