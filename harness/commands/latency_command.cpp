#include "harness/commands/latency_command.h"

#include "core/error.h"
#include "core/stopwatch.h"
#include "core/text.h"
#include "data/load_corpus.h"
#include "decoding/beam_search.h"
#include "harness/results/latency.h"
#include "harness/results/result_set.h"
#include "harness/run/device.h"
#include "harness/run/machine.h"
#include "harness/run/run_folder.h"
#include "harness/run/run_inputs.h"
#include "harness/run/trained_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <ostream>

namespace moe {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::int64_t, 2> batch_sizes = {1, 64};
constexpr std::int64_t batches_of_many = 20;  ///< timed of each size above one sentence
constexpr std::int64_t untimed = 3;           ///< batches of each size that go before, for memory and compiled kernels

/// Seconds that this thread has computed.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The batch of that number, of so many sentences; the set starts again where it ends.
EncodedSet batch_of(const EncodedSet& set, std::int64_t number, std::int64_t sentences) {
  EncodedSet batch;
  for (std::int64_t i = 0; i < sentences; ++i) {
    batch.push_back(set[static_cast<std::size_t>((number * sentences + i) % std::ssize(set))]);
    batch.back().sentence = i;
  }
  return batch;
}

class LatencyMeter {
 public:
  LatencyMeter(Transformer& model, const EncodedSet& set, const EvaluationSettings& evaluation, c10::Device device)
      : model_(model),
        set_(set),
        device_(device),
        options_(beam_options(evaluation, std::numeric_limits<std::int64_t>::max())) {}

  BatchLatency measure(std::int64_t sentences, std::int64_t batches) {
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < untimed + batches; ++i) {
      const EncodedSet batch = batch_of(set_, i, sentences);
      const double before = thread_seconds();
      const Stopwatch stopwatch;
      translate(model_, batch, options_, device_);
      if (i < untimed) continue;
      seconds.push_back(stopwatch.seconds());
      total_ += seconds.back();
      computed_ += thread_seconds() - before;
    }
    return batch_latency(sentences, std::move(seconds));
  }

  /// Share of the time so far in which the thread did not compute.
  double waiting() const { return std::clamp(1 - computed_ / total_, 0.0, 1.0); }

 private:
  Transformer& model_;
  const EncodedSet& set_;
  c10::Device device_;
  BeamOptions options_;
  double total_ = 0;
  double computed_ = 0;
};

LatencyRecord measure_run(const RunFolder& folder, const LatencyRequest& request) {
  const c10::Device device = open_device(request.device);
  const RunSpec spec = read_run_config(folder);
  const Corpus corpus = load_corpus(spec.data);
  checked_inputs(folder, spec, corpus);
  const Tokenizer tokenizer(folder.vocabulary());
  const std::shared_ptr<Transformer> model = load_trained_model(folder, spec, tokenizer.vocabulary_size(), device);
  const TextSet& text = corpus.test.front();
  const EncodedSet set = encode_set(corpus, text, tokenizer, 0);
  LatencyMeter meter(*model, set, spec.evaluation, device);
  LatencyRecord record;
  record.run_id = folder.path.filename().string();
  record.measured = utc_now();
  record.host = host_facts(request.device, device_name(request.device));
  record.software = software_facts();
  record.beam = spec.evaluation.beam;
  record.set = text.name;
  for (const std::int64_t sentences : batch_sizes) {
    record.batches.push_back(meter.measure(sentences, sentences == 1 ? request.sentences : batches_of_many));
  }
  record.waiting = meter.waiting();
  return record;
}

std::string describe(const LatencyRecord& record) {
  std::string text = record.run_id + ":";
  for (const BatchLatency& batch : record.batches) {
    text += fmt::format("{} {} p50 {:.1f} ms, p95 {:.1f} ms", &batch == record.batches.data() ? "" : ";",
                        count_of(batch.sentences, "sentence"), batch.p50, batch.p95);
  }
  return text;
}

}  // namespace

void run_latency(const LatencyRequest& request, std::ostream& out, std::ostream& notes) {
  at::set_num_threads(static_cast<int>(request.threads));
  std::size_t measured = 0;
  for (const fs::path& results : request.folders) {
    for (const fs::path& path : folders_of_runs(results)) {
      const RunFolder folder{path};
      if (!folder.is_finished()) continue;
      if (!fs::exists(folder.checkpoint())) {
        notes << fmt::format("Left out, without a checkpoint: {}.\n", path.string());
        continue;
      }
      const LatencyRecord record = measure_run(folder, request);
      write_latency(path, record);
      out << describe(record) << "\n" << std::flush;
      measured += 1;
      if (record.waiting > most_waiting) {
        notes << fmt::format("{}: other work took {:.0f} % of the time; measure again on a quiet machine.\n",
                             record.run_id, 100 * record.waiting);
      }
    }
  }
  MOE_CHECK(measured > 0, "latency: no run has a result and a checkpoint; run its sweep here to make them.");
}

}  // namespace moe
