#pragma once
// The description of a cluster as people write it: JSON with the units of data sheets.

#include "core/config.h"
#include "harness/commands/scale/layer_cost.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace moe {

/// The keys of the file; all of them are asked for. Bandwidths are those of one rank in one direction.
struct ClusterSettings {
  std::string name;
  std::string source;  ///< where the figures come from
  double rank_tflops = 0;
  double rank_memory_gb = 0;
  std::int64_t ranks_per_node = 0;
  double inside_gb_per_s = 0;
  double between_gb_per_s = 0;
  double inside_latency_us = 0;
  double between_latency_us = 0;
  std::int64_t element_bytes = 0;

  void visit(FieldVisitor& visitor);

  /// In units without prefixes.
  Cluster cluster() const;
};

/// Reads the file. Throws Error (request_wrong) with everything that is wrong in it, each with its JSON path.
ClusterSettings read_cluster(const std::filesystem::path& file);

}  // namespace moe
