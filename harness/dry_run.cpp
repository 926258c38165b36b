#include "harness/dry_run.h"

#include "data/tokenizer.h"
#include "harness/build_model.h"
#include "harness/progress_text.h"
#include "harness/run_names.h"
#include "harness/run_needs.h"
#include "model/model_size.h"

#include <torch/types.h>

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <ostream>

namespace moe {
namespace {

/// Share of a plain product's rate that a training step of a small model reaches; a rough figure for an estimate.
constexpr double training_efficiency = 0.4;

/// FLOP/s of a square product on one core.
double measured_rate() {
  at::set_num_threads(1);
  const torch::Tensor a = torch::ones({512, 512});
  torch::Tensor product = torch::mm(a, a);
  const auto start = std::chrono::steady_clock::now();
  constexpr int repeats = 20;
  for (int i = 0; i < repeats; ++i) torch::mm_out(product, a, a);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return repeats * 2.0 * 512 * 512 * 512 / seconds;
}

/// Sizes of vocabularies, each found once.
class VocabularySizes {
 public:
  std::size_t of(const DataSettings& settings) {
    const auto [size, is_new] = sizes_.try_emplace(write_settings(settings).dump());
    if (is_new) size->second = static_cast<std::size_t>(expected_vocabulary_size(settings));
    return size->second;
  }

 private:
  std::map<std::string, std::size_t> sizes_;
};

}  // namespace

void describe_runs(const Sweep& sweep, const ConfigErrors& data_errors, std::ostream& out) {
  for (const std::string& sentence : data_errors.sentences()) out << "data: " << sentence << "\n";
  const double rate = measured_rate() * training_efficiency;
  std::size_t name_width = 44;
  const std::vector<std::string> names = run_names(sweep.runs);
  for (const std::string& name : names) name_width = std::max(name_width, name.size());
  const auto write_line = [&](const std::string& name, const auto&... cells) {
    out << fmt::format("{:<{}}{:>12}{:>12}{:>10}{:>10}{:>11}\n", name, name_width, cells...);
  };
  write_line("run", "parameters", "active", "PFLOP", "memory", "time");
  VocabularySizes vocabulary;
  double total = 0;
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    const RunSpec& spec = sweep.runs[i];
    const std::vector<std::int64_t> once(vocabulary.of(spec.data), 1);
    const TokenCounts counts{once, once};
    const std::shared_ptr<Transformer> model = build_model(spec, counts);
    const ParameterCount parameters = count_parameters(*model);
    // Full batches of sentences of 25 subwords, source as long as target.
    constexpr std::int64_t assumed_length = 25;
    const std::int64_t tokens = spec.training.tokens_per_batch;
    const double batch = forward_flops(*model, std::max<std::int64_t>(1, tokens / assumed_length), tokens, tokens);
    double flops =
        3.0 * batch *
        static_cast<double>(spec.strategy.objective.passes * spec.training.accumulate * spec.training.updates);
    if (spec.training.flops) flops = std::min(flops, *spec.training.flops);
    total += flops / rate;
    write_line(names[i], parameters.total, parameters.active, fmt::format("{:.3g}", flops / 1e15),
               fmt::format("{:.1f} GB", static_cast<double>(expected_memory(spec)) / 1e9),
               format_duration(flops / rate));
  }
  out << fmt::format("{} runs, about {} on one core of this machine without validation.\n", sweep.runs.size(),
                     format_duration(total));
}

}  // namespace moe
