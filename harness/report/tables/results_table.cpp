#include "harness/report/tables/results_table.h"

#include "core/error.h"
#include "harness/report/tables/side_by_side.h"

#include <algorithm>
#include <map>
#include <set>

namespace moe {
namespace {

/// Whatever a run does not share with the other seeds of its configuration, except the seed itself.
std::vector<std::string> configuration_of(const RunResult& run, const std::vector<std::string>& axes) {
  std::vector<std::string> key = {run.strategy.router, run.strategy.label, std::to_string(run.strategy.experts)};
  for (const std::string& axis : axes) {
    if (axis == "training.seed") continue;
    key.push_back(run.settings.contains(axis) ? run.settings[axis].dump() : "");
  }
  return key;
}

template <class Figure>
std::optional<Estimate> estimate_over(const std::vector<const RunResult*>& runs, Figure figure) {
  std::vector<double> values;
  for (const RunResult* run : runs) {
    if (const std::optional<double> value = figure(*run)) values.push_back(*value);
  }
  return estimate(values);
}

std::optional<TestCell> make_cell(const std::vector<const RunResult*>& runs, const TestColumn& column) {
  std::vector<double> bleu;
  std::vector<double> chrf;
  std::vector<double> last_model_bleu;
  TestCell cell;
  for (const RunResult* run : runs) {
    for (const TestScore& score : run->scores) {
      if (TestColumn{score.set, score.direction} != column) continue;
      bleu.push_back(score.bleu.score);
      chrf.push_back(score.chrf.score);
      if (score.last_model) last_model_bleu.push_back(score.last_model->bleu.score);
      cell.draws = std::max(cell.draws, score.bleu.draws.size());
      cell.bleu_draw_spread += score.bleu.standard_deviation;
      cell.chrf_draw_spread += score.chrf.standard_deviation;
    }
  }
  const auto bleu_estimate = estimate(bleu), chrf_estimate = estimate(chrf);
  if (!bleu_estimate || !chrf_estimate) return std::nullopt;
  cell.bleu = *bleu_estimate;
  cell.chrf = *chrf_estimate;
  if (last_model_bleu.size() == bleu.size()) cell.last_model_bleu = estimate(last_model_bleu);
  cell.bleu_draw_spread /= static_cast<double>(bleu.size());
  cell.chrf_draw_spread /= static_cast<double>(bleu.size());
  return cell;
}

void fill_figures(TableRow& row, const std::vector<TestColumn>& columns) {
  const auto first = [](const std::optional<Estimate>& value) {
    return value ? std::optional(value->mean) : std::nullopt;
  };
  const auto& runs = row.runs.empty() ? row.failed : row.runs;  // sizes are known even where all runs failed
  const auto parameters = [](std::int64_t ParameterRecord::* kind) {
    return [kind](const RunResult& run) {
      return run.parameters ? std::optional(static_cast<double>((*run.parameters).*kind)) : std::nullopt;
    };
  };
  const auto at_last_validation = [](std::optional<double> CurvePoint::* figure) {
    return [figure](const RunResult& run) { return run.curve.empty() ? std::nullopt : run.curve.back().*figure; };
  };
  row.total_parameters = first(estimate_over(runs, parameters(&ParameterRecord::total)));
  row.active_parameters = first(estimate_over(runs, parameters(&ParameterRecord::active)));
  row.training_flops = estimate_over(
      row.runs, [](const RunResult& run) { return run.flops ? std::optional(run.flops->training) : std::nullopt; });
  row.tokens_per_second =
      estimate_over(row.runs, [](const RunResult& run) { return run.measurements.target_tokens_per_second; });
  row.valid_bleu = estimate_over(row.runs, at_last_validation(&CurvePoint::valid_bleu));
  row.valid_loss = estimate_over(row.runs, at_last_validation(&CurvePoint::valid_loss));
  row.undertrained = std::any_of(row.runs.begin(), row.runs.end(), [](const auto* run) { return run->undertrained(); });
  for (const TestColumn& column : columns) row.scores.push_back(make_cell(row.runs, column));
}

std::vector<TestColumn> test_columns(const ResultSet& results) {
  std::vector<TestColumn> columns;
  for (const RunResult& run : results.runs) {
    for (const TestScore& score : run.scores) {
      const TestColumn column{score.set, score.direction};
      if (!run.failed() && std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
    }
  }
  return columns;
}

}  // namespace

std::optional<Estimate> estimate(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return Estimate{.mean = mean(values),
                  .count = values.size(),
                  .deviation = sample_deviation(values),
                  .interval = interval_of_mean(values)};
}

ResultsTable make_results_table(const ResultSet& results) {
  ResultsTable table{.axes = results.axes, .columns = test_columns(results), .rows = {}, .side_by_side = false};
  std::map<std::vector<std::string>, std::size_t> row_of;
  for (const RunResult& run : results.runs) {
    const auto [entry, is_new] = row_of.emplace(configuration_of(run, results.axes), table.rows.size());
    if (is_new) table.rows.emplace_back();
    TableRow& row = table.rows[entry->second];
    row.router = run.strategy.router;
    row.imported = run.imported();
    row.label = row.imported ? run.strategy.label + " (imported)" : run.strategy.label;
    row.experts = run.strategy.experts;
    row.setting = run.setting;
    row.panel = run.panel;
    (run.failed() ? row.failed : row.runs).push_back(&run);
  }
  for (TableRow& row : table.rows) fill_figures(row, table.columns);
  table.side_by_side = worked_side_by_side(results.runs);
  return table;
}

std::size_t seed_count(const TableRow& row) {
  std::set<std::int64_t> seeds;
  for (const RunResult* run : row.runs) seeds.insert(run->seed);
  return seeds.size();
}

std::string evidence_sentence(const ResultsTable& table) {
  std::size_t fewest = SIZE_MAX;
  std::size_t most = 0;
  for (const TableRow& row : table.rows) {
    if (row.runs.empty()) continue;
    fewest = std::min(fewest, seed_count(row));
    most = std::max(most, seed_count(row));
  }
  if (most <= 1) return "One seed each: differences are not tested.";
  if (fewest == most) return fmt::format("Means of {} seeds with 95 % intervals of the mean.", most);
  return fmt::format("Means of {} to {} seeds with 95 % intervals of the mean where there are several.", fewest, most);
}

bool is_drawn(const TableRow& row) {
  return std::any_of(row.scores.begin(), row.scores.end(), [](const auto& cell) { return cell && cell->draws > 1; });
}

std::string marked_label(const TableRow& row) {
  return row.undertrained ? row.label + " †" : row.label;
}

}  // namespace moe
