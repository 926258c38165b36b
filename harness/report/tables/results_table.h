#pragma once
// Runs grouped by configuration, with the seeds of each taken together: what the results table, the charts and the
// summary are made from.

#include "harness/report/tables/text_table.h"
#include "harness/results/result_set.h"
#include "harness/verdicts/verdict.h"
#include "metrics/statistics.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// One figure over the seeds of a configuration.
struct Estimate {
  double mean = 0;
  std::size_t count = 0;             ///< seeds
  std::optional<double> deviation;   ///< sample standard deviation over seeds; none for one seed
  std::optional<Interval> interval;  ///< 95 % interval of the mean; none for one seed
};

/// Nothing when there is no value.
std::optional<Estimate> estimate(const std::vector<double>& values);

/// A test set in one direction.
struct TestColumn {
  std::string set;
  std::string direction;
  bool operator==(const TestColumn&) const = default;
};

/// The scores of a row in one column.
struct TestCell {
  Estimate bleu;
  Estimate chrf;
  std::optional<Estimate> last_model_bleu;  ///< of the last weights; none where a run has none beside its scores
  std::size_t draws = 1;        ///< evaluations per run; more than one where the evaluation is drawn at random
  double bleu_draw_spread = 0;  ///< standard deviation over the draws, mean over the seeds
  double chrf_draw_spread = 0;
};

/// One configuration. The pointers are into the ResultSet.
struct TableRow {
  std::string router;
  std::string label;  ///< of translations of another program with a mark, "OPUS-MT (imported)"
  std::int64_t experts = 1;
  std::string setting;
  std::string panel;                   ///< the part of a chart that it belongs in, as RunResult::panel
  bool imported = false;               ///< translations of another program
  std::vector<const RunResult*> runs;  ///< finished or imported, ascending seed
  std::vector<const RunResult*> failed;
  bool undertrained = false;  ///< at least one of the runs is
  std::optional<double> total_parameters;
  std::optional<double> active_parameters;
  std::optional<Estimate> training_flops;
  std::optional<Estimate> valid_bleu;  ///< at the last validation
  std::optional<Estimate> valid_loss;
  std::optional<Estimate> tokens_per_second;           ///< training, target tokens
  std::vector<std::optional<TestCell>> scores;         ///< one per column
  std::optional<Verdict> against_baseline;             ///< whether its BLEU is better than that of `dense` (baseline.h)
  std::map<std::string, Verdict> against_baseline_in;  ///< the same in each language pair, where there are several
};

struct ResultsTable {
  std::vector<std::string> axes;    ///< dotted keys that differ between runs
  std::vector<TestColumn> columns;  ///< in the order of the results
  std::vector<TableRow> rows;       ///< in display order
  bool side_by_side = false;        ///< runs shared their machine: their speeds compare nothing (side_by_side.h)
};

/// `results` must outlive the table.
ResultsTable make_results_table(const ResultSet& results);

/// Of its runs. Translations of another program are a run for each test set, so runs of one seed count once.
std::size_t seed_count(const TableRow& row);

/// A number of parameters for people, "4.00 M"; a dash for none.
std::string format_count(const std::optional<double>& value);

/// The table for people, without its footnotes.
TextTable format_results(const ResultsTable& table);

/// What the marks and numbers of format_results mean, a sentence each; only what occurs is explained.
std::vector<std::string> table_notes(const ResultsTable& table);

/// The columns that papers print: sizes and scores.
TextTable results_for_papers(const ResultsTable& table);

/// Every figure with deviation, count and interval, unrounded.
TextTable results_in_full(const ResultsTable& table);

/// How sure differences between rows are: "One seed each: differences are not tested."
std::string evidence_sentence(const ResultsTable& table);

/// Whether the experts are drawn at random at evaluation too.
bool is_drawn(const TableRow& row);

/// "thor (consistency 0) †": the mark of an undertrained row follows its name everywhere.
std::string marked_label(const TableRow& row);

}  // namespace moe
