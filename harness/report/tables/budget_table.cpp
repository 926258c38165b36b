#include "harness/report/tables/budget_table.h"

#include "harness/report/tables/configuration_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>

namespace moe {
namespace {

struct Budget {
  const char* name = nullptr;
  std::optional<double> (*spent)(const RunRecord& run, std::size_t validation) = nullptr;
  bool timed = false;
};

constexpr std::array<Budget, 3> budgets = {
    {{"equal updates",
      [](const RunRecord& run, std::size_t i) { return std::optional(static_cast<double>(run.curve[i].update)); }},
     {"equal FLOPs", [](const RunRecord& run, std::size_t i) { return run.curve[i].flops; }},
     {"equal time",
      [](const RunRecord& run, std::size_t i) {
        const std::vector<double>& seconds = run.measurements.curve_seconds;
        return seconds.size() == run.curve.size() ? std::optional(seconds[i]) : std::nullopt;
      },
      true}}};

std::string data_of(const TableRow& row) {
  const Json& settings = row.runs.front()->settings;
  return settings.value("data_digest", std::string()) + settings.value("data.directions", Json()).dump();
}

/// A validation as a point of a line.
struct Point {
  double spent = 0;
  double bleu = 0;
};

/// BLEU of a run where it had spent `limit`.
std::optional<double> bleu_at(const RunResult& run, const Budget& budget, double limit) {
  std::optional<Point> before;
  for (std::size_t i = 0; i < run.curve.size(); ++i) {
    const std::optional<double> spent = budget.spent(run, i);
    const std::optional<double>& bleu = run.curve[i].valid_bleu;
    if (!spent || !bleu) return std::nullopt;
    const Point point{*spent, *bleu};
    if (point.spent == limit) return point.bleu;
    if (point.spent > limit) {
      if (!before) return std::nullopt;
      const double share = (limit - before->spent) / (point.spent - before->spent);
      return before->bleu + share * (point.bleu - before->bleu);
    }
    before = point;
  }
  return std::nullopt;
}

/// What the run that ends first, of all on the same data, had spent.
std::map<std::string, double> smallest_budgets(const ResultsTable& table, const Budget& budget) {
  std::map<std::string, double> smallest;
  for (const TableRow& row : table.rows) {
    for (const RunResult* run : row.runs) {
      if (run->curve.empty()) continue;
      const auto spent = budget.spent(*run, run->curve.size() - 1);
      if (!spent) continue;
      const auto [entry, is_new] = smallest.emplace(data_of(row), *spent);
      entry->second = std::min(entry->second, *spent);
    }
  }
  return smallest;
}

std::string format_bleu(const TableRow& row, const Budget& budget, double limit) {
  std::vector<double> values;
  for (const RunResult* run : row.runs) {
    if (const std::optional<double> bleu = bleu_at(*run, budget, limit)) values.push_back(*bleu);
  }
  const std::optional<Estimate> bleu = values.size() == row.runs.size() ? estimate(values) : std::nullopt;
  if (!bleu) return nothing;
  return bleu->deviation ? fmt::format("{:.1f} ± {:.1f}", bleu->mean, *bleu->deviation)
                         : fmt::format("{:.1f}", bleu->mean);
}

}  // namespace

TextTable budget_table(const ResultsTable& table) {
  std::vector<const TableRow*> rows;
  std::vector<ConfigurationName> names;
  for (const TableRow& row : table.rows) {
    if (row.runs.empty() || row.imported) continue;
    rows.push_back(&row);
    names.push_back({marked_label(row), row.experts, row.setting});
  }
  TextTable text = configuration_table(names);
  for (const Budget& budget : budgets) {
    if (budget.timed && table.side_by_side) continue;
    add_column(text, budget.name, true);
    const std::map<std::string, double> limits = smallest_budgets(table, budget);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto limit = limits.find(data_of(*rows[i]));
      text.rows[i].push_back(limit == limits.end() ? nothing : format_bleu(*rows[i], budget, limit->second));
    }
  }
  if (text.rows.size() < 2) text.rows.clear();
  return text;
}

std::vector<std::string> budget_notes(const ResultsTable& table) {
  std::vector<std::string> notes = {
      "BLEU on the validation set where the run that ends first, of those on the same data, has spent its updates, "
      "training FLOPs or, where runs were alone on their machine, seconds of training; between two validations along a "
      "line.",
      "Learning rates are still high where a schedule that ends has not ended: a shorter budget of its own would do "
      "better there."};
  if (!table.side_by_side) {
    notes.emplace_back("Times are equal only between runs of one machine that nothing else was running on.");
  }
  return notes;
}

}  // namespace moe
