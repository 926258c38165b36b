#include "harness/report/tables/direction_table.h"

#include "harness/report/baseline.h"
#include "harness/report/tables/configuration_columns.h"
#include "harness/sweep/setting_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace moe {
namespace {

/// What tells configurations apart, directions and what follows from them aside.
std::vector<std::string> telling_axes(const ResultSet& results) {
  const std::set<std::string> aside = {"data.directions", "data_digest", "training.seed"};
  std::vector<std::string> axes = results.axes;
  std::erase_if(axes, [&](const std::string& axis) { return aside.contains(axis); });
  return axes;
}

/// One configuration over its directions and seeds.
struct DirectionRow {
  std::string label;
  std::int64_t experts = 1;
  std::string setting;
  bool undertrained = false;
  std::map<std::string, std::map<std::int64_t, std::vector<double>>> bleu;  ///< [direction][seed]: over the test sets
  std::set<std::string> differs;                                            ///< directions, from the baseline
};

/// Directions in which each run's configuration differs from the baseline.
std::map<const RunResult*, std::set<std::string>> differences(const ResultsTable& table) {
  std::map<const RunResult*, std::set<std::string>> differences;
  for (const TableRow& row : table.rows) {
    for (const auto& [direction, verdict] : row.against_baseline_in) {
      if (!differs_from_baseline(row, direction)) continue;
      for (const RunResult* run : row.runs) differences[run].insert(direction);
    }
  }
  return differences;
}

std::vector<DirectionRow> make_rows(const ResultSet& results, const ResultsTable& table) {
  const std::map<const RunResult*, std::set<std::string>> differing = differences(table);
  std::vector<FlatSettings> settings;
  for (const RunResult& run : results.runs) settings.push_back(run.settings);
  const std::vector<std::string> names = setting_names(settings, telling_axes(results));
  std::vector<DirectionRow> rows;
  for (std::size_t i = 0; i < results.runs.size(); ++i) {
    const RunResult& run = results.runs[i];
    if (!run.finished()) continue;
    auto row = std::find_if(rows.begin(), rows.end(), [&](const DirectionRow& other) {
      return other.label == run.strategy.label && other.experts == run.strategy.experts && other.setting == names[i];
    });
    if (row == rows.end()) {
      row = rows.insert(rows.end(), {run.strategy.label, run.strategy.experts, names[i], false, {}, {}});
    }
    row->undertrained = row->undertrained || run.undertrained();
    if (const auto found = differing.find(&run); found != differing.end()) {
      row->differs.insert(found->second.begin(), found->second.end());
    }
    for (const TestScore& score : run.scores) row->bleu[score.direction][run.seed].push_back(score.bleu.score);
  }
  return rows;
}

std::vector<std::string> directions_of(const ResultSet& results) {
  std::vector<std::string> directions;
  for (const RunResult& run : results.runs) {
    for (const TestScore& score : run.scores) {
      const auto known = std::find(directions.begin(), directions.end(), score.direction);
      if (run.finished() && known == directions.end()) directions.push_back(score.direction);
    }
  }
  return directions;
}

std::string format_mean(const std::vector<double>& values) {
  const std::optional<Estimate> estimated = estimate(values);
  if (!estimated) return nothing;
  return estimated->deviation ? fmt::format("{:.1f} ± {:.1f}", estimated->mean, *estimated->deviation)
                              : fmt::format("{:.1f}", estimated->mean);
}

/// Of each seed in one direction.
std::vector<double> seed_means(const std::map<std::int64_t, std::vector<double>>& by_seed) {
  std::vector<double> means;
  for (const auto& [seed, values] : by_seed) means.push_back(mean(values));
  return means;
}

/// Over all directions, of the seeds that have each of them: means over different directions do not compare.
std::string mean_over_directions(const DirectionRow& row, std::size_t directions) {
  std::map<std::int64_t, std::vector<double>> of_seed;
  for (const auto& [direction, by_seed] : row.bleu) {
    for (const auto& [seed, values] : by_seed) of_seed[seed].push_back(mean(values));
  }
  std::vector<double> means;
  for (const auto& [seed, values] : of_seed) {
    if (values.size() == directions) means.push_back(mean(values));
  }
  return format_mean(means);
}

}  // namespace

TextTable direction_table(const ResultSet& results, const ResultsTable& table) {
  const std::vector<std::string> directions = directions_of(results);
  if (directions.size() < 2) return {};
  const std::vector<DirectionRow> rows = make_rows(results, table);
  std::vector<ConfigurationName> names;
  for (const DirectionRow& row : rows) {
    names.push_back({row.undertrained ? row.label + " †" : row.label, row.experts, row.setting});
  }
  TextTable text = configuration_table(names);
  for (const std::string& direction : directions) add_column(text, direction, true);
  add_column(text, "mean", true);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const DirectionRow& row = rows[i];
    std::vector<std::string>& cells = text.rows[i];
    for (const std::string& direction : directions) {
      const auto by_seed = row.bleu.find(direction);
      cells.push_back(by_seed == row.bleu.end() ? nothing : format_mean(seed_means(by_seed->second)));
      if (row.differs.contains(direction)) cells.back() += " *";
    }
    cells.push_back(mean_over_directions(row, directions.size()));
  }
  return text;
}

std::vector<std::string> direction_notes() {
  return {
      "BLEU on the test sets, mean over them; ±: standard deviation over the seeds. The last column is the mean over "
      "the language pairs. *: differs from `dense` in that language pair, over seeds and over sentences, with "
      "Holm's correction over the table. Without it nothing is decided: such rows are no ranking."};
}

}  // namespace moe
