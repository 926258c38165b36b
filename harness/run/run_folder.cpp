#include "harness/run/run_folder.h"

#include "core/error.h"
#include "harness/results/result_file.h"
#include "routers/registry.h"

namespace moe {

bool RunFolder::is_finished() const {
  if (!std::filesystem::exists(result())) return false;
  return says_finished(read_result(result()), result().string());
}

RunSpec read_run_config(const RunFolder& folder) {
  Json json = read_json(folder.config());
  complete_older_config(json);
  ConfigErrors errors;
  const std::string router = json.value("/strategy/router"_json_pointer, std::string());
  RunSpec spec = read_run_spec(json, {router}, errors);
  errors.throw_if_any(folder.config().string());
  return spec;
}

RunRecord result_header(const RunSpec& spec, const std::string& run_id, const std::string& data_digest,
                        const std::map<std::string, std::string>& files) {
  RunRecord record;
  record.run_id = run_id;
  record.strategy = {spec.strategy.router, spec.strategy.label(), spec.strategy.experts()};
  if (const std::int64_t revision = find_router(spec.strategy.router).revision; revision > 1) {
    record.strategy.revision = revision;
  }
  record.seed = spec.training.seed;
  record.config = write_run_spec(spec);
  record.semantics_version = semantics_version;
  record.data_digest = data_digest;
  record.files = files;
  return record;
}

}  // namespace moe
