#include "harness/run/run_inputs.h"

#include "core/error.h"
#include "core/files.h"
#include "data/digest.h"
#include "data/load_corpus.h"
#include "data/text_corpus.h"
#include "harness/sweep/json_tools.h"
#include "routers/option_files.h"
#include "routers/registry.h"

#include <optional>

namespace moe {
namespace {

std::optional<Json> read_inputs(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.inputs())) return std::nullopt;
  Json json = read_json(folder.inputs());
  MOE_CHECK(json.is_object() && json.contains("data") && json.contains("files") && json.contains("texts"),
            "{}: is not what the sweep wrote; give the sweep again.", folder.inputs().string());
  return json;
}

/// The first key whose digest is not the planned one; empty when there is none.
std::string changed_key(const Json& planned, const FileDigests& read) {
  for (const auto& [key, digest] : read) {
    if (planned.value(key, "") != digest) return key;
  }
  return "";
}

Error changed(const std::string& what) {
  return Error(
      fmt::format("{} changed while the sweep was going on; give the sweep again to run with what stands there.", what),
      ExitStatus::runs_failed);
}

}  // namespace

FileDigests digest_files(const StrategySpec& strategy) {
  FileDigests digests;
  for (const OptionFile& named : option_files(find_router(strategy.router), strategy.options)) {
    digests[join_path("strategy", named.option)] = digest_of(read_file(named.file));
  }
  return digests;
}

std::string with_files(const std::string& text_digest, const FileDigests& files) {
  if (files.empty()) return text_digest;
  Digest digest;
  digest.add(text_digest);
  for (const auto& [option, file] : files) {
    digest.add(option);
    digest.add(file);
  }
  return digest.text();
}

void write_inputs(const RunFolder& folder, const RunInputs& inputs, const FileDigests& texts) {
  write_file(folder.inputs(), format_json({{"data", inputs.data}, {"files", inputs.files}, {"texts", texts}}));
}

FileDigests planned_files(const RunFolder& folder, const StrategySpec& strategy) {
  if (option_files(find_router(strategy.router), strategy.options).empty()) return {};
  const std::optional<Json> planned = read_inputs(folder);
  return planned ? planned->at("files").get<FileDigests>() : digest_files(strategy);
}

std::string run_fingerprint(const RunFolder& folder, const RunSpec& spec) {
  const std::string vocabulary = digest_of(read_file(folder.vocabulary()));
  return run_digest(spec, with_files(vocabulary, planned_files(folder, spec.strategy)));
}

RunInputs checked_inputs(const RunFolder& folder, const RunSpec& spec, const Corpus& corpus) {
  RunInputs inputs{corpus_digest(spec.data, corpus), digest_files(spec.strategy)};
  const std::optional<Json> planned = read_inputs(folder);
  if (!planned) return inputs;
  const std::string option = changed_key(planned->at("files"), inputs.files);
  if (!option.empty()) throw changed(find_at(write_run_spec(spec), option)->get<std::string>());
  if (planned->at("data") != inputs.data) {
    const std::string text = changed_key(planned->at("texts"), text_digests(spec.data, corpus));
    throw changed(text.empty() ? fmt::format("The data in \"{}\"", spec.data.root) : text);
  }
  return inputs;
}

}  // namespace moe
