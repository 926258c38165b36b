#include "harness/run_memory.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

namespace moe {
namespace {

constexpr std::int64_t float_bytes = 4;
constexpr std::int64_t program_bytes = std::int64_t{350} << 20;  ///< LibTorch, the data and the vocabulary

std::int64_t moe_layers(const ModelSettings& model) {
  const MoeBlocks blocks = moe_blocks(model);
  return std::ssize(blocks.encoder) + std::ssize(blocks.decoder) + model.extra_layers;
}

std::int64_t parameters(const RunSpec& spec) {
  const ModelSettings& model = spec.model;
  const std::int64_t D = model.width, ffn = 2 * D * model.ffn, attention = 4 * D * D;
  return spec.data.vocabulary * D + model.encoder_layers * (attention + ffn) +
         model.decoder_layers * (2 * attention + ffn) + moe_layers(model) * spec.strategy.experts() * ffn;
}

/// Floats that one token leaves for the backward pass. Attention: norm, queries, keys, values, result, output and sum;
/// feed-forward net: norm, hidden layer, output and sum, twice where two experts may take the token.
std::int64_t floats_of_token(const RunSpec& spec) {
  const ModelSettings& model = spec.model;
  const std::int64_t attention = 7 * model.width, net = 3 * model.width + model.ffn;
  return model.encoder_layers * (attention + net) + model.decoder_layers * (2 * attention + net) +
         moe_layers(model) * net + spec.data.vocabulary;
}

std::int64_t value_of(const std::string& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::int64_t value = 0;
    return std::istringstream(line.substr(key.size())) >> value ? value : std::numeric_limits<std::int64_t>::max();
  }
  return std::numeric_limits<std::int64_t>::max();
}

}  // namespace

std::int64_t expected_memory(const RunSpec& spec) {
  const std::int64_t copies = 4 + spec.evaluation.average_checkpoints;  // weight, gradient and two moments
  const std::int64_t tokens = spec.training.tokens_per_batch * spec.strategy.objective.passes;
  return program_bytes + float_bytes * (copies * parameters(spec) + tokens * floats_of_token(spec));
}

std::int64_t available_memory() {
  const std::int64_t kilobytes = value_of("/proc/meminfo", "MemAvailable:");
  const std::int64_t limit = value_of("/sys/fs/cgroup/memory.max", "");  // "max" is no number
  const std::int64_t used = value_of("/sys/fs/cgroup/memory.current", "");
  const std::int64_t none = std::numeric_limits<std::int64_t>::max();
  const std::int64_t of_group = limit == none || used == none ? none : std::max<std::int64_t>(0, limit - used);
  return kilobytes == none ? of_group : std::min(kilobytes * 1024, of_group);
}

int default_jobs(const std::vector<RunSpec>& runs, int threads) {
  std::vector<std::int64_t> needs;
  for (const RunSpec& run : runs) needs.push_back(expected_memory(run));
  std::sort(needs.begin(), needs.end(), std::greater<>());
  const int most = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / threads);
  std::int64_t left = available_memory();
  int jobs = 0;
  for (const std::int64_t need : needs) {
    left -= need;
    if (jobs == most || (jobs > 0 && left < 0)) break;
    ++jobs;
  }
  return std::max(1, jobs);
}

}  // namespace moe
