#include "harness/commands/verify/verify_command.h"

#include "core/json.h"
#include "core/text.h"
#include "harness/commands/verify/run_check.h"
#include "harness/commands/verify/summary_check.h"
#include "harness/results/result_set.h"

#include <algorithm>
#include <numeric>
#include <ostream>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// A reason with the runs that it holds for.
struct SharedNote {
  std::string text;
  std::vector<std::string> runs;
};

struct FolderFindings {
  fs::path folder;
  std::vector<RunFindings> runs;
  std::int64_t unfinished = 0;  ///< runs without a result
  SummaryCheck summary;

  std::vector<std::string> problems() const {
    std::vector<std::string> all;
    for (const RunFindings& run : runs) all.insert(all.end(), run.problems.begin(), run.problems.end());
    all.insert(all.end(), summary.problems.begin(), summary.problems.end());
    return all;
  }
  std::vector<SharedNote> notes() const {
    std::vector<SharedNote> shared;
    for (const RunFindings& run : runs) {
      for (const std::string& note : run.notes) {
        auto found = std::find_if(shared.begin(), shared.end(), [&](const auto& other) { return other.text == note; });
        if (found == shared.end()) found = shared.insert(found, {note, {}});
        found->runs.push_back(run.run);
      }
    }
    return shared;
  }
  std::int64_t sum(std::int64_t RunFindings::* count) const {
    return std::accumulate(runs.begin(), runs.end(), std::int64_t{0},
                           [&](std::int64_t total, const RunFindings& run) { return total + run.*count; });
  }
  std::int64_t count(bool RunFindings::* state) const {
    return std::count_if(runs.begin(), runs.end(), [&](const RunFindings& run) { return run.*state; });
  }
};

FolderFindings check_folder(const fs::path& folder, const std::optional<fs::path>& data) {
  FolderFindings findings{folder, {}, 0, {}};
  ReferenceTexts references(data);
  std::vector<fs::path> run_folders = folders_of_runs(folder);
  // Imported translations name their reference by its digest: it may be among the data of the other runs.
  std::stable_partition(run_folders.begin(), run_folders.end(),
                        [](const fs::path& run) { return !run.filename().string().starts_with("imported-"); });
  for (const fs::path& run : run_folders) {
    if (fs::exists(run / "result.json")) {
      findings.runs.push_back(check_run(run, references));
    } else {
      ++findings.unfinished;
    }
  }
  findings.summary = check_summary(folder);
  return findings;
}

std::string some_of(const std::vector<std::string>& runs) {
  constexpr std::size_t most = 4;
  if (runs.size() <= most) return join(runs, ", ");
  return fmt::format("{} and {} more", join({runs.begin(), runs.begin() + most}, ", "), runs.size() - most);
}

void print(const FolderFindings& findings, std::ostream& out) {
  const auto read = findings.count(&RunFindings::read);
  out << findings.folder.string() << '\n';
  out << fmt::format("  results: {} read, {} not readable, {} runs without one\n", read,
                     std::ssize(findings.runs) - read, findings.unfinished);
  out << fmt::format("  run ids recomputed: {} of {}\n", findings.count(&RunFindings::id_recomputed), read);
  out << fmt::format("  rescored: BLEU and chrF of {} files of translations\n", findings.sum(&RunFindings::rescored));
  out << fmt::format("  added up again: {} files of sentence scores\n", findings.sum(&RunFindings::summed));
  out << fmt::format("  only read: BLEU and chrF of {} files; losses, routing, parameters, FLOPs and speeds of all\n",
                     findings.sum(&RunFindings::only_read));
  out << "  rerun: none\n";
  out << "  summary.json: " << findings.summary.state << '\n';
  for (const SharedNote& note : findings.notes()) {
    out << fmt::format("Note: {} Runs: {}.\n", note.text, some_of(note.runs));
  }
  for (const std::string& problem : findings.problems()) out << "Problem: " << problem << '\n';
}

Json json_of(const FolderFindings& findings) {
  Json notes = Json::array();
  for (const SharedNote& note : findings.notes()) notes.push_back({{"note", note.text}, {"runs", note.runs}});
  const auto read = findings.count(&RunFindings::read);
  return {{"folder", findings.folder.string()},
          {"results", read},
          {"not_readable", std::ssize(findings.runs) - read},
          {"unfinished", findings.unfinished},
          {"run_ids", findings.count(&RunFindings::id_recomputed)},
          {"rescored", findings.sum(&RunFindings::rescored)},
          {"summed", findings.sum(&RunFindings::summed)},
          {"only_read", findings.sum(&RunFindings::only_read)},
          {"rerun", 0},
          {"summary", findings.summary.state},
          {"notes", notes},
          {"problems", findings.problems()}};
}

}  // namespace

ExitStatus run_verify(const VerifyRequest& request, std::ostream& out) {
  MOE_CHECK(!request.data || fs::is_directory(*request.data), "--data {}: is no folder.", request.data->string());
  for (const fs::path& folder : request.folders) folders_of_runs(folder);  // a wrong one before any long work
  Json json = Json::array();
  std::size_t problems = 0;
  for (const fs::path& folder : request.folders) {
    const FolderFindings findings = check_folder(folder, request.data);
    problems += findings.problems().size();
    if (request.json) {
      json.push_back(json_of(findings));
    } else {
      print(findings, out);
    }
  }
  if (request.json) {
    out << format_json({{"problems", problems}, {"folders", json}});
  } else {
    out << (problems == 0 ? "Nothing disagrees.\n" : fmt::format("Problems: {}.\n", problems));
  }
  return problems == 0 ? ExitStatus::success : ExitStatus::runs_failed;
}

}  // namespace moe
