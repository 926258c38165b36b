#include "harness/report/tables/latency_table.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace moe {
namespace {

bool is_measured(const TableRow& row) {
  return !row.runs.empty() &&
         std::all_of(row.runs.begin(), row.runs.end(), [](const RunResult* run) { return run->latency.has_value(); });
}

std::vector<const TableRow*> measured_rows(const ResultsTable& table) {
  std::vector<const TableRow*> rows;
  for (const TableRow& row : table.rows) {
    if (is_measured(row)) rows.push_back(&row);
  }
  return rows;
}

/// The sizes of batches that some run was measured with, ascending.
std::set<std::int64_t> batch_sizes(const std::vector<const TableRow*>& rows) {
  std::set<std::int64_t> sizes;
  for (const TableRow* row : rows) {
    for (const RunResult* run : row->runs) {
      for (const BatchLatency& batch : run->latency->batches) sizes.insert(batch.sentences);
    }
  }
  return sizes;
}

/// Mean over the runs; a dash where one was not measured with that size.
std::string format_mean(const TableRow& row, std::int64_t sentences, double BatchLatency::* quantile) {
  std::vector<double> values;
  for (const RunResult* run : row.runs) {
    for (const BatchLatency& batch : run->latency->batches) {
      if (batch.sentences == sentences) values.push_back(batch.*quantile);
    }
  }
  return values.size() == row.runs.size() ? fmt::format("{:.1f}", mean(values)) : nothing;
}

/// "AMD EPYC, 1 thread, cpu, beam 5".
std::string conditions(const LatencyRecord& latency) {
  const Json& host = latency.host;
  const std::int64_t threads = host.value("threads", std::int64_t{1});
  return fmt::format("{}, {} thread{}, {}, beam {}", host.value("cpu", std::string("unknown processor")), threads,
                     threads == 1 ? "" : "s", host.value("device", std::string("cpu")), latency.beam);
}

}  // namespace

TextTable latency_table(const ResultsTable& table) {
  const std::vector<const TableRow*> rows = measured_rows(table);
  TextTable text{{"strategy", "experts"}, {false, true}, {}};
  const auto add_column = [&](const std::string& name, bool numeric) {
    text.header.push_back(name);
    text.numeric.push_back(numeric);
  };
  const bool settings =
      std::any_of(rows.begin(), rows.end(), [](const TableRow* row) { return !row->setting.empty(); });
  if (settings) add_column("setting", false);
  const std::set<std::int64_t> sizes = batch_sizes(rows);
  for (const std::int64_t size : sizes) {
    const std::string batch = fmt::format("{} sentence{}", size, size == 1 ? "" : "s");
    for (const char* quantile : {"p50", "p95"}) add_column(fmt::format("{}, {} ms", batch, quantile), true);
  }
  for (const TableRow* row : rows) {
    std::vector<std::string> cells = {row->label, row->experts > 1 ? fmt::format("{}", row->experts) : nothing};
    if (settings) cells.push_back(row->setting);
    for (const std::int64_t size : sizes) {
      cells.push_back(format_mean(*row, size, &BatchLatency::p50));
      cells.push_back(format_mean(*row, size, &BatchLatency::p95));
    }
    text.rows.push_back(std::move(cells));
  }
  return text;
}

std::vector<std::string> latency_notes(const ResultsTable& table) {
  std::set<std::string> machines;
  bool busy = false;
  for (const TableRow* row : measured_rows(table)) {
    for (const RunResult* run : row->runs) {
      machines.insert(conditions(*run->latency));
      busy = busy || run->latency->waiting > most_waiting;
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
