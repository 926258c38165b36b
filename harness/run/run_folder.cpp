#include "harness/run/run_folder.h"

#include "core/error.h"
#include "harness/results/result_file.h"
#include "harness/results/result_reader.h"

namespace moe {

bool RunFolder::is_finished() const {
  if (!std::filesystem::exists(result())) return false;
  const Json json = read_result(result());
  MOE_CHECK(json.is_object() && json.contains("status"), "{}: is not a result; remove it to run again.",
            result().string());
  return json["status"] == "finished";
}

RunSpec read_run_config(const RunFolder& folder) {
  const Json json = read_json(folder.config());
  ConfigErrors errors;
  const std::string router = json.value("/strategy/router"_json_pointer, std::string());
  RunSpec spec = read_run_spec(json, {router}, errors);
  errors.throw_if_any(folder.config().string());
  return spec;
}

Json result_header(const RunSpec& spec, const std::string& run_id, const std::string& data_digest) {
  return {{"schema_version", result_schema_version},
          {"run_id", run_id},
          {"status", "failed"},
          {"failure", nullptr},
          {"strategy",
           {{"router", spec.strategy.router}, {"label", spec.strategy.label()}, {"experts", spec.strategy.experts()}}},
          {"seed", spec.training.seed},
          {"config", write_run_spec(spec)},
          {"semantics_version", semantics_version},
          {"data_digest", data_digest}};
}

}  // namespace moe
