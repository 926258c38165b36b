#include "harness/report/tables/latency_table.h"

#include "core/text.h"
#include "harness/report/tables/configuration_columns.h"
#include "harness/results/machine_text.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace moe {
namespace {

/// A configuration all of whose runs were measured.
struct MeasuredRow {
  const TableRow* row = nullptr;
  std::vector<const LatencyRecord*> latencies;  ///< of each run
};

std::vector<MeasuredRow> measured_rows(const ResultsTable& table) {
  std::vector<MeasuredRow> rows;
  for (const TableRow& row : table.rows) {
    MeasuredRow measured{&row, {}};
    for (const RunResult* run : row.runs) {
      if (run->latency) measured.latencies.push_back(&*run->latency);
    }
    if (!row.runs.empty() && measured.latencies.size() == row.runs.size()) rows.push_back(std::move(measured));
  }
  return rows;
}

/// The sizes of batches that some run was measured with, ascending.
std::set<std::int64_t> batch_sizes(const std::vector<MeasuredRow>& rows) {
  std::set<std::int64_t> sizes;
  for (const MeasuredRow& row : rows) {
    for (const LatencyRecord* latency : row.latencies) {
      for (const BatchLatency& batch : latency->batches) sizes.insert(batch.sentences);
    }
  }
  return sizes;
}

/// Mean over the runs; a dash where one was not measured with that size.
std::string format_mean(const MeasuredRow& row, std::int64_t sentences, double BatchLatency::* quantile) {
  std::vector<double> values;
  for (const LatencyRecord* latency : row.latencies) {
    for (const BatchLatency& batch : latency->batches) {
      if (batch.sentences == sentences) values.push_back(batch.*quantile);
    }
  }
  return values.size() == row.latencies.size() ? fmt::format("{:.1f}", mean(values)) : nothing;
}

/// "AMD EPYC, 2 cores, 1 thread, cpu, beam 5".
std::string conditions(const LatencyRecord& latency) {
  const std::string machine = machine_text(latency.host);
  return fmt::format("{}, beam {}", machine.empty() ? "unknown processor" : machine, latency.beam);
}

}  // namespace

TextTable latency_table(const ResultsTable& table) {
  const std::vector<MeasuredRow> rows = measured_rows(table);
  std::vector<ConfigurationName> names;
  for (const MeasuredRow& measured : rows) {
    names.push_back({marked_label(*measured.row), measured.row->experts, measured.row->setting});
  }
  TextTable text = configuration_table(names);
  for (const std::int64_t size : batch_sizes(rows)) {
    for (const auto& [quantile, member] :
         {std::pair("p50", &BatchLatency::p50), std::pair("p95", &BatchLatency::p95)}) {
      add_column(text, fmt::format("{}, {} ms", count_of(size, "sentence"), quantile), true);
      for (std::size_t i = 0; i < rows.size(); ++i) text.rows[i].push_back(format_mean(rows[i], size, member));
    }
  }
  return text;
}

std::vector<std::string> latency_notes(const ResultsTable& table) {
  std::set<std::string> machines;
  bool busy = false;
  for (const MeasuredRow& measured : measured_rows(table)) {
    for (const LatencyRecord* latency : measured.latencies) {
      machines.insert(conditions(*latency));
      busy = busy || latency->waiting > most_waiting;
    }
  }
  std::vector<std::string> notes = {
      "Milliseconds to translate a batch of so many sentences of the first test set, mean over the seeds; p50: median "
      "over the batches, p95: 95 % of them are faster. Measured after training, one run after the other.",
      "Measured on: " + join({machines.begin(), machines.end()}, "; ") + "."};
  if (machines.size() > 1) notes.emplace_back("Times of different machines or beams do not compare.");
  if (busy) notes.emplace_back("The machine was busy with other work in part of it: these times are too long.");
  return notes;
}

}  // namespace moe
