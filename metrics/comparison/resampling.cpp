#include "metrics/comparison/resampling.h"

#include "core/random.h"

namespace moe {

std::vector<std::uint32_t> resampled_sentences(std::uint64_t seed, int sample, std::size_t sentences) {
  const RandomStream stream = RandomStream(seed).at(StreamTag::bootstrap).at("resample").at(sample);
  std::vector<std::uint32_t> drawn(sentences);
  for (std::size_t i = 0; i < sentences; ++i) {
    drawn[i] = static_cast<std::uint32_t>(stream.at(i).below(static_cast<std::int64_t>(sentences)));
  }
  return drawn;
}

double p_of_count(std::size_t reached, std::size_t samples) {
  return static_cast<double>(reached + 1) / static_cast<double>(samples + 1);
}

Interval central_interval(const std::vector<double>& ascending, double level) {
  const auto outside = static_cast<std::size_t>(level / 2 * static_cast<double>(ascending.size()));
  return {ascending[outside], ascending[ascending.size() - 1 - outside]};
}

}  // namespace moe
