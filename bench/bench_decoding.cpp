// Translation with caches: sentences a second of greedy search and of beams of five, with the `small` model of
// bench/training_case.h. Its weights are random, so translations run to their longest length and every step is paid.
//
// --dump=FILE writes the weights, the sources and the translations to FILE and measures nothing: tools/bench-peers
// gives them to other programs.
#include "bench/bench_main.h"
#include "bench/training_case.h"
#include "decoding/beam_search.h"
#include "model/safetensors.h"

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>

namespace moe {
namespace {

constexpr std::int64_t sentences = 64;

TrainingCase decoding_case() {
  TrainingCase setting = training_cases().front();
  setting.length = 24;
  return setting;
}

/// As training starts a model, it says its last word again, for the embedding is tied: its layers speak louder here.
std::shared_ptr<Transformer> make_talker(const TrainingCase& setting, const EncodedSet& set) {
  const auto model = make_model(setting, set);
  const torch::NoGradGuard no_gradient;
  for (auto& item : model->named_parameters()) {
    if (item.key().ends_with("output_weight") || item.key().ends_with("w2")) item.value().mul_(8);
  }
  return model;
}

std::vector<std::vector<std::int64_t>> translations(Transformer& model, const EncodedSet& set, std::int64_t beam) {
  std::vector<std::vector<std::int64_t>> ids;
  for (Translation& translation : translate(model, set, {.beam = beam, .tokens_per_batch = 1 << 20}, torch::kCPU)) {
    ids.push_back(std::move(translation.ids));
  }
  return ids;
}

void decode(benchmark::State& state, std::int64_t beam) {
  const TrainingCase setting = decoding_case();
  const EncodedSet set = random_sentences(setting, sentences);
  const auto model = make_talker(setting, set);
  std::int64_t tokens = 0;
  for (const auto& ids : translations(*model, set, beam)) tokens += std::ssize(ids);
  for (auto _ : state) benchmark::DoNotOptimize(translations(*model, set, beam));
  const auto rate = [](std::int64_t count) {
    return benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["sentences/s"] = rate(sentences);
  state.counters["tokens/s"] = rate(tokens);
  state.counters["beam"] = static_cast<double>(beam);
  state.counters["threads"] = at::get_num_threads();
  state.SetLabel(product_path(/*is_bf16=*/false));
}

/// Rows of ids, filled up with padding.
torch::Tensor table_of(const std::vector<std::vector<std::int64_t>>& rows) {
  std::size_t longest = 0;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  torch::Tensor table = torch::full({std::ssize(rows), static_cast<std::int64_t>(longest)}, padding_id, torch::kInt64);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table[static_cast<std::int64_t>(i)].narrow(0, 0, std::ssize(rows[i])).copy_(torch::tensor(rows[i], torch::kInt64));
  }
  return table;
}

void dump(const std::string& file) {
  const TrainingCase setting = decoding_case();
  const EncodedSet set = random_sentences(setting, sentences);
  const auto model = make_talker(setting, set);
  TensorFile content;
  for (const auto& item : model->named_parameters()) content.tensors["model." + item.key()] = item.value().detach();
  std::vector<std::vector<std::int64_t>> sources;
  for (const EncodedPair& pair : set) sources.push_back(pair.source);
  content.tensors["source"] = table_of(sources);
  for (const std::int64_t beam : {1, 5}) {
    content.tensors[fmt::format("translation.{}", beam)] = table_of(translations(*model, set, beam));
  }
  content.metadata["model"] = Json{{"heads", setting.heads}, {"layers", setting.layers}}.dump();
  write_safetensors(file, content);
}

void register_all() {
  for (const std::int64_t beam : {1, 5}) {
    benchmark::RegisterBenchmark(fmt::format("decode/small/beam:{}", beam).c_str(),
                                 [=](benchmark::State& state) { decode(state, beam); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): an error may end a benchmark
  return moe::run_benchmarks(argc, argv, moe::register_all, moe::dump);
}
