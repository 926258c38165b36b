#pragma once
// How long a trained run takes to translate, measured after training and alone: latency.json beside result.json.

#include "harness/results/record_visitor.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Times of batches of so many sentences.
struct BatchLatency {
  std::int64_t sentences = 1;  ///< in a batch
  std::int64_t batches = 0;    ///< timed
  double p50 = 0;              ///< milliseconds a batch, median
  double p95 = 0;              ///< milliseconds that 95 % of the batches stay below

  void visit(RecordVisitor& visitor);
};

struct LatencyRecord {
  std::string run_id;
  std::string measured;  ///< UTC, ISO 8601
  Json host;             ///< as host_facts gives it
  Json software;         ///< as software_facts gives it
  std::int64_t beam = 1;
  std::string set;  ///< the test set whose sources were translated
  std::vector<BatchLatency> batches;
  double waiting = 0;  ///< share of the time in which the thread did not compute: other work was in its way

  void visit(RecordVisitor& visitor);
};

/// More of it says that the machine was busy.
inline constexpr double most_waiting = 0.05;

/// The times, in seconds, of batches of `sentences` each. Quantiles are those of the nearest rank.
BatchLatency batch_latency(std::int64_t sentences, std::vector<double> seconds);

void write_latency(const std::filesystem::path& run_folder, const LatencyRecord& record);

/// Nothing where none was measured. Throws (request_wrong) for a file that write_latency would not have written, or
/// that is of another run.
std::optional<LatencyRecord> read_latency(const std::filesystem::path& run_folder);

}  // namespace moe
