#include "harness/run_memory.h"

#include "core/memory.h"

#include <algorithm>
#include <functional>
#include <limits>
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

}  // namespace

std::int64_t expected_memory(const RunSpec& spec) {
  const std::int64_t copies = 4 + spec.evaluation.average_checkpoints;  // weight, gradient and two moments
  const std::int64_t tokens = spec.training.tokens_per_batch * spec.strategy.objective.passes;
  return program_bytes + float_bytes * (copies * parameters(spec) + tokens * floats_of_token(spec));
}

std::int64_t available_memory() {
  std::int64_t available = std::numeric_limits<std::int64_t>::max();
  if (const auto kilobytes = system_number("/proc/meminfo", "MemAvailable:")) available = 1024 * *kilobytes;
  const auto limit = system_number("/sys/fs/cgroup/memory.max", "");  // "max" is no number
  const auto used = system_number("/sys/fs/cgroup/memory.current", "");
  return limit && used ? std::clamp<std::int64_t>(*limit - *used, 0, available) : available;
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
