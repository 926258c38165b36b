#include "harness/commands/verify/run_check.h"

#include "core/error.h"
#include "harness/commands/verify/rescoring.h"
#include "harness/commands/verify/sentence_sums.h"
#include "harness/results/imported_run.h"
#include "harness/results/latency.h"
#include "harness/results/result_file.h"
#include "harness/results/routing_choices.h"
#include "harness/run/run_folder.h"
#include "harness/run/run_inputs.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/run_spec.h"
#include "routers/registry.h"

#include <algorithm>
#include <set>

namespace moe {
namespace {

void check_digests(const Json& document, const std::string& file, RunFindings& findings) {
  for (const std::string& path : wrong_digests(document)) {
    findings.problem(
        fmt::format("{}: {}: is not that of the content; the file is not what the run wrote.", file, path));
  }
  if (!document.contains("digest")) findings.notes.emplace_back("digests not checked: the result has none.");
}

/// The run id that configuration, data and files give; nothing, with the reason, where that cannot be said.
std::optional<std::string> name_again(const ResultInFolder& result, RunFindings& findings) {
  const RunRecord& record = result.record;
  if (record.imported()) {
    if (record.scores.empty() || record.scores.front().hypotheses.empty()) return std::nullopt;
    try {
      return imported_run_id(record, read_translations(result.folder / record.scores.front().hypotheses.front()));
    } catch (const Error& error) {
      findings.problem(fmt::format("{}: scores[0].hypotheses[0]: {}", result.file.string(), error.what()));
      return std::nullopt;
    }
  }
  if (record.semantics_version != semantics_version) {
    findings.notes.push_back(fmt::format("run id only read: it is of semantics version {}, this program knows {}.",
                                         record.semantics_version, semantics_version));
    return std::nullopt;
  }
  const std::vector<std::string> known = router_names();
  const bool is_known = std::find(known.begin(), known.end(), record.strategy.router) != known.end();
  const std::int64_t revision = is_known ? find_router(record.strategy.router).revision : 1;
  if (record.strategy.revision.value_or(1) != revision) {
    findings.notes.push_back(fmt::format("run id only read: it is of revision {} of {}, this program knows {}.",
                                         record.strategy.revision.value_or(1), record.strategy.router, revision));
    return std::nullopt;
  }
  if (record.data_digest.empty()) {
    findings.notes.emplace_back("run id only read: the result has no digest of the data.");
    return std::nullopt;
  }
  ConfigErrors errors;
  const RunSpec spec = read_run_spec(record.config, {record.strategy.router}, errors);
  for (const std::string& sentence : errors.sentences()) {
    findings.problem(fmt::format("{}: config.{}", result.file.string(), sentence));
  }
  if (!errors.empty()) return std::nullopt;
  return run_id(spec, with_files(record.data_digest, record.files));
}

void check_names(const ResultInFolder& result, RunFindings& findings) {
  const std::string& id = result.record.run_id;
  if (id != findings.run) {
    findings.problem(
        fmt::format("{}: run_id is {}, but the folder is called {}.", result.file.string(), id, findings.run));
  }
  const std::optional<std::string> again = name_again(result, findings);
  findings.id_recomputed = again.has_value();
  if (again && *again != id) {
    findings.problem(fmt::format(
        "{}: run_id is {}, but {} give {}.", result.file.string(), id,
        result.record.imported() ? "name and translations" : "configuration, data digest and files", *again));
  }
}

/// The configuration of the folder is the one of the result.
void check_config(const ResultInFolder& result, RunFindings& findings) {
  const std::filesystem::path file = RunFolder{result.folder}.config();
  Json config;
  try {
    config = read_json(file);
    complete_older_config(config);
  } catch (const Error& error) {
    findings.problem(error.what());
    return;
  }
  std::set<std::string> paths;
  for (const auto& [one, other] : {std::pair(config, result.record.config), std::pair(result.record.config, config)}) {
    for (const PathValue& leaf : leaves(differing_keys(one, other))) paths.insert(leaf.path);
  }
  const auto text = [](const Json& object, const std::string& path) {
    const Json* value = find_at(object, path);
    return value == nullptr ? "missing" : short_json(*value);
  };
  for (const std::string& path : paths) {
    findings.problem(fmt::format("{}: {} is {}, but in result.json it is {}.", file.string(), path, text(config, path),
                                 text(result.record.config, path)));
  }
}

/// A line for each MoE layer, of experts that it has.
void check_choices(const ResultInFolder& result, RunFindings& findings) {
  if (result.record.routing_choices.empty()) return;
  const std::filesystem::path file = result.folder / result.record.routing_choices;
  const RoutingChoices choices = read_routing_choices(file);
  const std::vector<LayerRouting>& layers = result.record.routing;
  if (choices.size() != layers.size()) {
    findings.problem(fmt::format("{}: has {} lines for {} MoE layers.", file.string(), choices.size(), layers.size()));
    return;
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::int64_t experts = layers[i].figures.experts;
    const auto most = std::max_element(choices[i].begin(), choices[i].end());
    if (most == choices[i].end() || *most < experts) continue;
    findings.problem(
        fmt::format("{}:{}: names expert {} of a layer that has {}.", file.string(), i + 1, *most, experts));
  }
}

/// What stands beside the result can be read.
void check_files_beside(const ResultInFolder& result, RunFindings& findings) {
  try {
    check_choices(result, findings);
    read_latency(result.folder);
  } catch (const Error& error) {
    findings.problem(error.what());
  }
}

/// Code that no commit holds cannot be looked up.
void check_revision(const RunRecord& record, RunFindings& findings) {
  const Json& software = record.measurements.software;
  const std::string revision = software.contains("revision") && software["revision"].is_string()
                                   ? software["revision"].get<std::string>()
                                   : "unknown";
  if (revision != "unknown" && !revision.ends_with("-dirty")) return;
  findings.notes.push_back(fmt::format("made by code that is no commit: revision {}.", revision));
}

}  // namespace

RunFindings check_run(const std::filesystem::path& folder, ReferenceTexts& references) {
  RunFindings findings;
  findings.run = folder.filename().string();
  ResultInFolder result{folder, RunFolder{folder}.result(), {}};
  try {
    const Json document = read_json(result.file);
    result.record = read_run_record(document, result.file.string());
    check_digests(document, result.file.string(), findings);
  } catch (const Error& error) {
    findings.problem(error.what());
    return findings;
  }
  findings.read = true;
  check_names(result, findings);
  if (!result.record.imported()) check_config(result, findings);
  check_revision(result.record, findings);
  check_files_beside(result, findings);
  check_sentence_sums(result, findings);
  try {
    check_scores(result, references, findings);
  } catch (const Error& error) {  // lines that are no text
    findings.problem(fmt::format("{}: scores: {}", result.file.string(), error.what()));
  }
  return findings;
}

}  // namespace moe
