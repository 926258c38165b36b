#include "harness/report/compare.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/report/tables/results_table.h"
#include "harness/report/tables/side_by_side.h"
#include "harness/sweep/setting_names.h"
#include "metrics/table.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace moe {
namespace {

/// The runs of one set that differ in their seed alone.
struct Configuration {
  FlatSettings settings;  ///< without the seed
  std::vector<const RunResult*> runs;

  const RunResult& first() const { return *runs.front(); }
};

/// A configuration that stands in both sets.
struct Matched {
  const Configuration* before = nullptr;
  const Configuration* after = nullptr;
};

bool same_strategy(const Configuration& one, const Configuration& other) {
  const StrategyRecord &a = one.first().strategy, &b = other.first().strategy;
  return a.router == b.router && a.label == b.label && a.experts == b.experts;
}

/// "training.updates: 4000 against 6000" for each setting that both know and that differs. Another version may have
/// keys more, which say nothing.
std::vector<std::string> differing_settings(const Configuration& before, const Configuration& after) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : before.settings.items()) {
    const auto other = after.settings.find(key);
    if (other == after.settings.end() || *other == value) continue;
    texts.push_back(fmt::format("{}: {} against {}", key, setting_text(value), setting_text(*other)));
  }
  return texts;
}

std::vector<Configuration> configurations_of(const ResultSet& results) {
  std::vector<Configuration> found;
  for (const RunResult& run : results.runs) {
    Configuration single{run.settings, {&run}};
    single.settings.erase("training.seed");
    const auto same = std::find_if(found.begin(), found.end(), [&](const Configuration& other) {
      return same_strategy(single, other) && single.settings == other.settings;
    });
    if (same == found.end()) {
      found.push_back(std::move(single));
    } else {
      same->runs.push_back(&run);
    }
  }
  return found;
}

std::string name_of(const Configuration& configuration) {
  const RunResult& run = configuration.first();
  std::string name = run.strategy.label;
  if (run.strategy.experts > 1) name += fmt::format(", {} experts", run.strategy.experts);
  return run.setting.empty() ? name : name + ", " + run.setting;
}

using ScoresBySeed = std::map<std::int64_t, double>;

ScoresBySeed scores_by_seed(const Configuration& configuration, const TestColumn& column,
                            const TranslationScore& kind) {
  ScoresBySeed scores;
  for (const RunResult* run : configuration.runs) {
    for (const TestScore& test : run->scores) {
      const MetricScore* score = kind.of(test);
      if (score && !run->failed() && TestColumn{test.set, test.direction} == column) scores[run->seed] = score->score;
    }
  }
  return scores;
}

std::vector<double> values_of(const ScoresBySeed& scores) {
  std::vector<double> values;
  for (const auto& [seed, score] : scores) values.push_back(score);
  return values;
}

/// Of the difference of two means by Welch (1947), "The generalization of 'Student's' problem"; the degrees of freedom
/// are rounded down, which makes it no narrower.
Interval welch_interval(const std::vector<double>& before, const std::vector<double>& after) {
  const auto variance_of_mean = [](const std::vector<double>& values) {
    return std::pow(*sample_deviation(values), 2) / static_cast<double>(values.size());
  };
  const double a = variance_of_mean(before), b = variance_of_mean(after);
  const double difference = mean(after) - mean(before);
  if (a + b == 0) return {difference, difference};
  const double freedom = std::pow(a + b, 2) / (a * a / static_cast<double>(before.size() - 1) +
                                               b * b / static_cast<double>(after.size() - 1));
  const int whole = std::max(1, static_cast<int>(freedom + 1e-9));  // 2 that was rounded to 1.999... is 2
  const double half = student_t_quantile(0.975, whole) * std::sqrt(a + b);
  return {difference - half, difference + half};
}

/// Nothing with fewer than two seeds on a side. Runs of one seed share data order and initial values, so the same seeds
/// on both sides are taken in pairs.
std::optional<Interval> interval_of_difference(const ScoresBySeed& before, const ScoresBySeed& after) {
  if (before.size() < 2 || after.size() < 2) return std::nullopt;
  const bool paired = std::equal(before.begin(), before.end(), after.begin(), after.end(),
                                 [](const auto& one, const auto& other) { return one.first == other.first; });
  if (!paired) return welch_interval(values_of(before), values_of(after));
  std::vector<double> differences;
  for (const auto& [seed, score] : after) differences.push_back(score - before.at(seed));
  return interval_of_mean(differences);
}

void add_score(const Matched& pair, const TestColumn& column, const TranslationScore& kind,
               std::vector<std::string>& cells) {
  const ScoresBySeed before = scores_by_seed(*pair.before, column, kind);
  const ScoresBySeed after = scores_by_seed(*pair.after, column, kind);
  const auto mean_text = [](const ScoresBySeed& scores) {
    return scores.empty() ? nothing : fmt::format("{:.2f}", mean(values_of(scores)));
  };
  cells.push_back(fmt::format("{} → {}", mean_text(before), mean_text(after)));
  if (before.empty() || after.empty()) {
    cells.emplace_back(nothing);
    return;
  }
  std::string text = fmt::format("{:+.2f}", mean(values_of(after)) - mean(values_of(before)));
  if (const std::optional<Interval> interval = interval_of_difference(before, after)) {
    text += fmt::format(" ({:+.2f} to {:+.2f})", interval->low, interval->high);
  }
  cells.push_back(std::move(text));
}

std::string seeds_text(const Matched& pair) {
  const auto count = [](const Configuration& side) {
    return std::count_if(side.runs.begin(), side.runs.end(), [](const RunResult* run) { return !run->failed(); });
  };
  const auto before = count(*pair.before), after = count(*pair.after);
  return before == after ? fmt::format("{}", before) : fmt::format("{} → {}", before, after);
}

/// The mean over the runs that know the figure.
template <class Figure>
std::optional<double> mean_of(const Configuration& side, Figure figure) {
  std::vector<double> values;
  for (const RunResult* run : side.runs) {
    if (const std::optional<double> value = figure(*run)) values.push_back(*value);
  }
  return values.empty() ? std::nullopt : std::optional(mean(values));
}

/// "4.00 M", or "4.00 M → 5.00 M".
std::string size_change(const Matched& pair, std::int64_t ParameterRecord::* kind) {
  const auto size = [kind](const RunResult& run) {
    return run.parameters ? std::optional(static_cast<double>((*run.parameters).*kind)) : std::nullopt;
  };
  const std::optional<double> before = mean_of(*pair.before, size), after = mean_of(*pair.after, size);
  return before == after ? format_count(before) : format_count(before) + " → " + format_count(after);
}

/// "5000 → 5500 (+10 %)".
std::string speed_change(const Matched& pair) {
  const auto speed = [](const RunResult& run) { return run.measurements.target_tokens_per_second; };
  const std::optional<double> before = mean_of(*pair.before, speed), after = mean_of(*pair.after, speed);
  const auto text = [](const std::optional<double>& rate) { return rate ? fmt::format("{:.0f}", *rate) : nothing; };
  if (!before && !after) return nothing;
  const std::string change =
      before && after && *before > 0 ? fmt::format(" ({:+.0f} %)", 100 * (*after / *before - 1)) : "";
  return fmt::format("{} → {}{}", text(before), text(after), change);
}

bool is_undertrained(const Matched& pair) {
  const auto any = [](const Configuration& side) {
    return std::any_of(side.runs.begin(), side.runs.end(), [](const RunResult* run) { return run->undertrained(); });
  };
  return any(*pair.before) || any(*pair.after);
}

std::vector<TestColumn> columns_of_both(const ResultSet& before, const ResultSet& after) {
  std::vector<TestColumn> columns = make_results_table(before).columns;
  for (const TestColumn& column : make_results_table(after).columns) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  }
  return columns;
}

/// `timed`: runs of either side were alone on their machine.
TextTable comparison_table(const std::vector<Matched>& pairs, const std::vector<TestColumn>& columns, bool timed) {
  TextTable table{{"configuration", "seeds"}, {false, true}, {}};
  for (const TranslationScore& kind : translation_scores()) {
    for (const TestColumn& column : columns) {
      table.header.push_back(fmt::format("{} {} {}", find_metric(kind.metric).title, column.set, column.direction));
      table.header.emplace_back("difference");
    }
  }
  for (const char* name : {"total parameters", "active parameters"}) table.header.emplace_back(name);
  if (timed) table.header.emplace_back("tokens/s");
  table.numeric.resize(table.header.size(), true);
  for (const Matched& pair : pairs) {
    const std::string& setting = pair.before->first().setting;
    std::vector<std::string> cells = {name_of(setting.empty() ? *pair.after : *pair.before), seeds_text(pair)};
    if (is_undertrained(pair)) cells.front() += " †";
    for (const TranslationScore& kind : translation_scores()) {
      for (const TestColumn& column : columns) add_score(pair, column, kind, cells);
    }
    cells.push_back(size_change(pair, &ParameterRecord::total));
    cells.push_back(size_change(pair, &ParameterRecord::active));
    if (timed) cells.push_back(speed_change(pair));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string listing(const std::string& heading, const std::vector<std::string>& entries) {
  if (entries.empty()) return "";
  std::string text = "\n" + heading + "\n\n";
  for (const std::string& entry : entries) text += "- " + entry + "\n";
  return text;
}

/// What is left of one side, by name. The first of the other side that has the same strategy tells the settings apart.
void describe_rest(std::vector<const Configuration*> before, std::vector<const Configuration*> after,
                   std::string& text) {
  std::vector<std::string> other_settings, only_before, only_after;
  for (const Configuration* old : before) {
    const auto same = std::find_if(after.begin(), after.end(),
                                   [&](const Configuration* candidate) { return same_strategy(*old, *candidate); });
    if (same == after.end()) {
      only_before.push_back(name_of(*old));
    } else {
      other_settings.push_back(name_of(*old) + ": " + join(differing_settings(*old, **same), ", "));
      after.erase(same);
    }
  }
  for (const Configuration* left : after) only_after.push_back(name_of(*left));
  text += listing("The same strategy with other settings, old against new:", other_settings);
  text += listing("Only in the old results:", only_before);
  text += listing("Only in the new results:", only_after);
}

}  // namespace

std::string compare_results(const ResultSet& before, const ResultSet& after) {
  const std::vector<Configuration> old_ones = configurations_of(before), new_ones = configurations_of(after);
  std::vector<const Configuration*> old_rest, new_rest;
  for (const Configuration& configuration : new_ones) new_rest.push_back(&configuration);
  std::vector<Matched> pairs;
  for (const Configuration& old : old_ones) {
    const auto match = std::find_if(new_rest.begin(), new_rest.end(), [&](const Configuration* candidate) {
      return same_strategy(old, *candidate) && differing_settings(old, *candidate).empty();
    });
    if (match == new_rest.end()) {
      old_rest.push_back(&old);
    } else {
      pairs.push_back({&old, *match});
      new_rest.erase(match);
    }
  }
  std::string text = fmt::format("Old: {}, runs: {}. New: {}, runs: {}.\n\n", before.name, before.runs.size(),
                                 after.name, after.runs.size());
  if (pairs.empty()) {
    text += "No configuration stands in both.\n";
  } else {
    const bool timed = !worked_side_by_side(before.runs) && !worked_side_by_side(after.runs);
    text += to_markdown(comparison_table(pairs, columns_of_both(before, after), timed));
    text +=
        "\nIn brackets: the 95 % interval of the difference by Student's t, over pairs of equal seeds where both sides "
        "have the same seeds, else Welch's; not corrected for their number. Tokens/s depend on the machine.\n";
    if (std::any_of(pairs.begin(), pairs.end(), is_undertrained)) text += "\n†: undertrained on one side at least.\n";
  }
  describe_rest(std::move(old_rest), std::move(new_rest), text);
  return text;
}

}  // namespace moe
