#include "harness/commands/run/dry_run.h"

#include "core/temporary_folder.h"
#include "data/load_corpus.h"
#include "data/tokenizer.h"
#include "harness/process/progress_text.h"
#include "harness/run/build_model.h"
#include "harness/run/run_data.h"
#include "harness/run/run_needs.h"
#include "harness/run/run_pace.h"
#include "harness/sweep/run_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>

namespace moe {
namespace {

/// The data of a run, or made-up ones where they are missing. Vocabularies are made in a folder that goes again.
PaceData load_pace_data(const DataSettings& settings, bool complete) {
  if (!complete && settings.source == "text") return made_up_pace_data(settings.vocabulary);
  const TemporaryFolder folder;
  return pace_data(load_run_data(settings, train_tokenizer(settings, load_corpus(settings), folder.path())));
}

/// What runs of a sweep need on this machine; runs that differ in seed or budget alone are measured once.
class Paces {
 public:
  explicit Paces(bool data_complete) : data_complete_(data_complete) {}

  const PaceData& data(const RunSpec& spec) {
    const auto [data, is_new] = data_.try_emplace(write_settings(spec.data).dump());
    if (is_new) data->second = load_pace_data(spec.data, data_complete_);
    return data->second;
  }

  const RunPace& of(const RunSpec& spec) {
    RunSpec alike = spec;
    alike.training = {};
    alike.training.tokens_per_batch = spec.training.tokens_per_batch;
    alike.training.batch_side = spec.training.batch_side;
    alike.training.accumulate = spec.training.accumulate;
    alike.training.precision = spec.training.precision;
    const auto [pace, is_new] = paces_.try_emplace(write_run_spec(alike).dump());
    if (is_new) pace->second = measure_pace(spec, data(spec));
    return pace->second;
  }

 private:
  bool data_complete_;
  std::map<std::string, PaceData> data_;
  std::map<std::string, RunPace> paces_;
};

}  // namespace

void describe_runs(const Sweep& sweep, const ConfigErrors& data_errors, std::ostream& out) {
  for (const std::string& sentence : data_errors.sentences()) out << "data: " << sentence << "\n";
  std::size_t name_width = 44;
  const std::vector<std::string> names = run_names(sweep.runs);
  for (const std::string& name : names) name_width = std::max(name_width, name.size());
  const auto write_line = [&](const std::string& name, const auto&... cells) {
    out << fmt::format("{:<{}}{:>12}{:>12}{:>10}{:>10}{:>11}\n", name, name_width, cells...) << std::flush;
  };
  write_line("run", "parameters", "active", "PFLOP", "memory", "time");
  Paces paces(data_errors.empty());
  double total = 0;
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    const RunSpec& spec = sweep.runs[i];
    const ParameterCount parameters = expected_parameters(spec, paces.data(spec).counts);
    const RunPace& pace = paces.of(spec);
    const double seconds = expected_seconds(spec, pace);
    total += seconds;
    write_line(names[i], parameters.total, parameters.active,
               fmt::format("{:.3g}", expected_updates(spec.training, pace) * pace.flops_per_update / 1e15),
               fmt::format("{:.1f} GB", static_cast<double>(expected_memory(spec)) / 1e9), format_duration(seconds));
  }
  out << fmt::format("{} runs, about {} on one core of this machine{}.\n", sweep.runs.size(), format_duration(total),
                     data_errors.empty() ? "" : ", measured on 1,000 made-up sentences a set");
}

}  // namespace moe
