#include "harness/commands/scale/cluster_file.h"

#include "core/error.h"
#include "core/json.h"

namespace moe {
namespace {

constexpr double giga = 1e9, tera = 1e12, micro = 1e-6;

Field positive(const char* key, const char* help) {
  return {.key = key, .help = help, .minimum = 0, .above_minimum = true};
}

}  // namespace

void ClusterSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "name", .help = "of the cluster, for titles"}, name);
  visitor.field({.key = "source", .help = "where the figures come from"}, source);
  visitor.field(positive("rank_tflops", "TFLOP/s of a rank that computing really reaches"), rank_tflops);
  visitor.field(positive("rank_memory_gb", "memory of a rank in GB"), rank_memory_gb);
  visitor.field({.key = "ranks_per_node", .help = "GPUs of a node", .minimum = 1, .maximum = 65536}, ranks_per_node);
  visitor.field(positive("inside_gb_per_s", "GB/s that a rank sends to ranks of its node"), inside_gb_per_s);
  visitor.field(positive("between_gb_per_s", "GB/s that a rank sends to other nodes"), between_gb_per_s);
  visitor.field({.key = "inside_latency_us", .help = "microseconds of a message in a node", .minimum = 0},
                inside_latency_us);
  visitor.field({.key = "between_latency_us", .help = "microseconds of a message between nodes", .minimum = 0},
                between_latency_us);
  visitor.field({.key = "element_bytes", .help = "of what is exchanged: 2 for bf16", .minimum = 1, .maximum = 16},
                element_bytes);
}

Cluster ClusterSettings::cluster() const {
  return {.rank_flops = rank_tflops * tera,
          .ranks_per_node = ranks_per_node,
          .inside_bandwidth = inside_gb_per_s * giga,
          .between_bandwidth = between_gb_per_s * giga,
          .inside_latency = inside_latency_us * micro,
          .between_latency = between_latency_us * micro,
          .element_bytes = element_bytes};
}

ClusterSettings read_cluster(const std::filesystem::path& file) {
  ClusterSettings settings;
  ConfigErrors errors;
  const Json json = read_json(file);
  read_settings(settings, json, "", errors);
  if (json.is_object()) {
    for (const FieldListing& field : list_fields(ClusterSettings{})) {
      errors.check(json.contains(field.path), field.path, fmt::format("is missing: {}.", field.help));
    }
  }
  errors.throw_if_any(file.string());
  return settings;
}

}  // namespace moe
