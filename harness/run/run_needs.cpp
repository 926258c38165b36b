#include "harness/run/run_needs.h"

#include "core/cpus.h"
#include "core/memory.h"
#include "harness/run/build_model.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace moe {
namespace {

constexpr std::int64_t float_bytes = 4;
constexpr std::int64_t program_bytes = std::int64_t{300} << 20;  ///< LibTorch, the data and the vocabulary

/// With the vocabulary that is asked for, whose words are all alike.
ParameterCount parameters_of(const RunSpec& spec) {
  const std::vector<std::int64_t> alike(static_cast<std::size_t>(spec.data.vocabulary), 1);
  return expected_parameters(spec, {alike, alike});
}

/// Floats that a source token and a target token leave for the backward pass. Attention: norm, queries, keys, values,
/// result, output and sum, where keys and values of cross attention are the source's; feed-forward net: norm, hidden
/// layer, output and sum, twice where two experts may take the token.
struct FloatsOfToken {
  std::int64_t source = 0;
  std::int64_t target = 0;
};

FloatsOfToken floats_of_token(const RunSpec& spec) {
  const ModelSettings& model = spec.model;
  const MoeBlocks blocks = moe_blocks(model);
  const std::int64_t attention = 7 * model.width, net = 3 * model.width + model.ffn;
  const std::int64_t cross_keys_and_values = model.decoder_layers * 2 * model.width;
  return {model.encoder_layers * (attention + net) + std::ssize(blocks.encoder) * net + cross_keys_and_values,
          model.decoder_layers * (2 * attention + net) + (std::ssize(blocks.decoder) + model.extra_layers) * net +
              spec.data.vocabulary - cross_keys_and_values};
}

}  // namespace

std::int64_t expected_memory(const RunSpec& spec) {
  // Weight, gradient and two moments; the sum for the mean of weights is in float64.
  const std::int64_t copies = 4 + (spec.evaluation.average_share > 0 ? 2 : 0);
  const std::int64_t target_tokens = spec.training.tokens_per_batch * spec.strategy.objective.passes;
  const std::int64_t source_tokens = (batch_limit(spec.training).side == BatchSide::target ? 2 : 1) * target_tokens;
  const FloatsOfToken floats = floats_of_token(spec);
  return program_bytes + float_bytes * (copies * parameters_of(spec).total + source_tokens * floats.source +
                                        target_tokens * floats.target);
}

double expected_flops(const RunSpec& spec) {
  const TrainingSettings& training = spec.training;
  const std::int64_t batches = training.updates * training.accumulate * spec.strategy.objective.passes;
  const double flops = 6.0 * static_cast<double>(batches) * static_cast<double>(training.tokens_per_batch) *
                       static_cast<double>(parameters_of(spec).active);
  return std::min(flops, training.flops.value_or(flops));
}

std::int64_t available_memory() {
  std::int64_t available = std::numeric_limits<std::int64_t>::max();
  if (const auto kilobytes = system_number("/proc/meminfo", "MemAvailable:")) available = 1024 * *kilobytes;
  const auto limit = system_number("/sys/fs/cgroup/memory.max", "");  // "max" is no number
  const auto used = system_number("/sys/fs/cgroup/memory.current", "");
  return limit && used ? std::clamp<std::int64_t>(*limit - *used, 0, available) : available;
}

int runs_that_fit(const std::vector<RunSpec>& runs, std::int64_t memory, int most) {
  std::vector<std::int64_t> needs;
  for (const RunSpec& run : runs) needs.push_back(expected_memory(run));
  std::sort(needs.begin(), needs.end(), std::greater<>());
  std::int64_t left = memory;
  int fitting = 0;
  for (const std::int64_t need : needs) {
    left -= need;
    if (fitting == most || (fitting > 0 && left < 0)) break;
    ++fitting;
  }
  return std::max(1, fitting);
}

int default_jobs(const std::vector<RunSpec>& runs, int threads) {
  return runs_that_fit(runs, available_memory(), std::max(1, usable_cpus() / threads));
}

}  // namespace moe
