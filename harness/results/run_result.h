#pragma once
// One run's result as tables and charts see it: its record, and where it stands among the others.

#include "harness/results/latency.h"
#include "harness/results/record.h"

#include <filesystem>
#include <optional>
#include <string>

namespace moe {

struct RunResult : RunRecord {
  std::filesystem::path file;
  std::string file_digest;  ///< of the whole document
  Json settings;        ///< flat: dotted key of the configuration to value; lists stay whole; `data_digest` at the end
  std::string setting;  ///< what distinguishes the run besides strategy, experts and seed; empty: nothing does
  std::string panel;    ///< of that, what is not simply the strategy's own: what strategies are compared within

  std::optional<LatencyRecord> latency;  ///< of translations, where `moe-bench latency` has measured it

  bool undertrained() const { return training && training->undertrained; }
};

/// Reads one result. `settings` holds the configuration as it stands, followed by `data_digest`. Throws (request_wrong)
/// as read_run_record does.
RunResult read_run_result(const std::filesystem::path& file);

}  // namespace moe
