#include "harness/results/latency.h"

#include "core/error.h"
#include "core/files.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

std::filesystem::path latency_file(const std::filesystem::path& run_folder) {
  return run_folder / "latency.json";
}

/// The smallest value that at least this share of all does not exceed; of sorted values.
double nearest_rank(const std::vector<double>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace

void BatchLatency::visit(RecordVisitor& visitor) {
  visitor.field({.key = "sentences", .help = "in a batch", .minimum = 1}, sentences);
  visitor.field({.key = "batches", .help = "that were timed", .minimum = 1}, batches);
  visitor.field({.key = "p50_ms", .help = "median time of a batch", .minimum = 0}, p50);
  visitor.field({.key = "p95_ms", .help = "time that 95 % of the batches stay below", .minimum = 0}, p95);
}

void LatencyRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "run_id", .filled = true}, run_id);
  visitor.field({.key = "measured", .help = "UTC, ISO 8601"}, measured);
  visitor.field({.key = "host"}, host);
  visitor.field({.key = "software"}, software);
  visitor.field({.key = "beam", .minimum = 1}, beam);
  visitor.field({.key = "set", .help = "test set whose sources were translated"}, set);
  visitor.field({.key = "batches", .filled = true}, batches);
  visitor.field({.key = "waiting",
                 .help = "share of the time in which the thread did not compute: other work was in its way",
                 .minimum = 0,
                 .maximum = 1},
                waiting);
}

BatchLatency batch_latency(std::int64_t sentences, std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {sentences, std::ssize(seconds), 1000 * nearest_rank(seconds, 0.5), 1000 * nearest_rank(seconds, 0.95)};
}

void write_latency(const std::filesystem::path& run_folder, const LatencyRecord& record) {
  write_file(latency_file(run_folder), format_json(write_record(record)));
}

std::optional<LatencyRecord> read_latency(const std::filesystem::path& run_folder) {
  const std::filesystem::path file = latency_file(run_folder);
  if (!std::filesystem::exists(file)) return std::nullopt;
  const Json json = read_json(file);
  LatencyRecord record = read_record<LatencyRecord>({json, file.string()});
  MOE_CHECK(run_folder.filename() == record.run_id, "{}: run_id: is that of {}.", file.string(), record.run_id);
  return record;
}

}  // namespace moe
