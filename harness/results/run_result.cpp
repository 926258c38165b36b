#include "harness/results/run_result.h"

#include "data/digest.h"
#include "harness/results/result_file.h"

namespace moe {

RunResult read_run_result(const std::filesystem::path& file) {
  const Json json = read_result(file);
  RunResult run{read_run_record(json, file.string()), file, digest_of(json.dump()), {}, {}, {}, {}};
  run.settings = run.config;
  if (!run.data_digest.empty()) run.settings["data_digest"] = run.data_digest;
  if (!run.files.empty()) run.settings["files"] = run.files;
  return run;
}

}  // namespace moe
