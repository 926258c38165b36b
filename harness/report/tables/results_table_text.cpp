// The forms in which the results table is written.

#include "core/error.h"
#include "harness/report/baseline.h"
#include "harness/report/tables/results_table.h"
#include "metrics/table.h"

#include <algorithm>

namespace moe {
namespace {

/// Builds a table cell by cell: the first row defines the columns.
class Columns {
 public:
  explicit Columns(TextTable& table) : table_(table) { table_.rows.emplace_back(); }
  void add(const std::string& name, bool numeric, const std::string& text) {
    if (table_.rows.size() == 1) {
      table_.header.push_back(name);
      table_.numeric.push_back(numeric);
    }
    table_.rows.back().push_back(text);
  }

 private:
  TextTable& table_;
};

bool any(const ResultsTable& table, bool (*condition)(const TableRow&)) {
  return std::any_of(table.rows.begin(), table.rows.end(), condition);
}

bool has_setting(const TableRow& row) {
  return !row.setting.empty();
}
bool has_seeds(const TableRow& row) {
  return seed_count(row) > 1;
}
bool has_last_model(const TableRow& row) {
  return std::any_of(row.scores.begin(), row.scores.end(),
                     [](const auto& cell) { return cell && cell->last_model_bleu; });
}

/// "1.20e15", without the plus sign of the exponent.
std::string format_flops(double value) {
  return replace_all(replace_all(fmt::format("{:.2e}", value), "e+0", "e"), "e+", "e");
}

std::string format_estimate(const std::optional<Estimate>& value, int decimals) {
  if (!value) return nothing;
  const std::string mean = fmt::format("{:.{}f}", value->mean, decimals);
  return value->deviation ? fmt::format("{} ± {:.{}f}", mean, *value->deviation, decimals) : mean;
}

/// A score with the spread there is evidence for: over seeds, else over draws. Means over draws are marked.
std::string format_score(const Estimate& score, std::size_t draws, double draw_spread, bool with_interval) {
  std::string text = format_estimate(score, 1);
  if (score.interval && with_interval)
    text += fmt::format(" ({:.1f} to {:.1f})", score.interval->low, score.interval->high);
  if (!score.deviation && draws > 1) text += fmt::format(" ± {:.1f}", draw_spread);
  return draws > 1 ? text + " ‡" : text;
}

std::string notes_of(const TableRow& row) {
  if (row.failed.empty()) return row.undertrained ? "† undertrained" : "";
  const std::size_t all = row.runs.size() + row.failed.size();
  const std::string failed = all == 1 ? "failed" : fmt::format("{} of {} runs failed", row.failed.size(), all);
  return row.undertrained ? "† undertrained; " + failed : failed;
}

std::string column_name(const TestColumn& column, const char* metric) {
  return fmt::format("{} {} {}", find_metric(metric).title, column.set, column.direction);
}

void add_scores(Columns& cells, const ResultsTable& table, const TableRow& row) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto& cell = row.scores[i];
    cells.add(column_name(table.columns[i], "bleu"), true,
              cell ? format_score(cell->bleu, cell->draws, cell->bleu_draw_spread, true) : nothing);
    if (any(table, has_last_model)) {
      cells.add("last weights", true, format_estimate(cell ? cell->last_model_bleu : std::nullopt, 1));
    }
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto& cell = row.scores[i];
    cells.add(column_name(table.columns[i], "chrf"), true,
              cell ? format_score(cell->chrf, cell->draws, cell->chrf_draw_spread, false) : nothing);
  }
}

std::string in_full(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";
}

void add_in_full(Columns& cells, const std::string& name, const std::optional<Estimate>& value) {
  const bool interval = value && value->interval;
  cells.add(name, true, value ? fmt::format("{}", value->mean) : "");
  cells.add(name + "_sd", true, value ? in_full(value->deviation) : "");
  cells.add(name + "_low", true, interval ? fmt::format("{}", value->interval->low) : "");
  cells.add(name + "_high", true, interval ? fmt::format("{}", value->interval->high) : "");
}

}  // namespace

std::string format_count(const std::optional<double>& value) {
  if (!value) return nothing;
  if (*value >= 1e9) return fmt::format("{:.2f} G", *value / 1e9);
  if (*value >= 1e6) return fmt::format("{:.2f} M", *value / 1e6);
  return fmt::format("{:.1f} k", *value / 1e3);
}

TextTable format_results(const ResultsTable& table) {
  TextTable text;
  for (const TableRow& row : table.rows) {
    Columns cells(text);
    cells.add("strategy", false, marked_label(row));
    cells.add("experts", true, row.experts > 1 ? fmt::format("{}", row.experts) : nothing);
    cells.add("seeds", true, fmt::format("{}", seed_count(row)));
    if (any(table, has_setting)) cells.add("setting", false, row.setting);
    cells.add("total parameters", true, format_count(row.total_parameters));
    cells.add("active parameters", true, format_count(row.active_parameters));
    cells.add("training FLOPs", true, row.training_flops ? format_flops(row.training_flops->mean) : nothing);
    cells.add("validation " + find_metric("bleu").title, true, format_estimate(row.valid_bleu, 1));
    cells.add("validation " + find_metric("loss").title, true, format_estimate(row.valid_loss, 3));
    add_scores(cells, table, row);
    if (has_baseline_test(table)) cells.add("BLEU against dense", true, format_against_baseline(row));
    if (!table.side_by_side) {
      cells.add("tokens/s", true, row.tokens_per_second ? fmt::format("{:.0f}", row.tokens_per_second->mean) : nothing);
    }
    cells.add("notes", false, notes_of(row));
  }
  return text;
}

std::vector<std::string> table_notes(const ResultsTable& table) {
  std::vector<std::string> notes;
  if (any(table, has_seeds)) {
    notes.emplace_back(
        "±: standard deviation over the seeds; in brackets the 95 % interval of the mean (Student's t). Intervals of "
        "two rows are no test of their difference.");
  } else {
    notes.push_back(evidence_sentence(table));
  }
  if (has_baseline_test(table)) {
    notes.emplace_back(
        "BLEU against dense: mean over seeds of the differences from `dense` on the same data. *: real, over seeds and "
        "over "
        "sentences, with Holm's correction over the table; without it nothing is decided.");
  }
  if (table.side_by_side) {
    notes.emplace_back(
        "Runs worked side by side on a machine: speeds and times of training would compare nothing and are left out "
        "(--jobs 1 measures them).");
  }
  if (any(table, is_drawn)) {
    notes.emplace_back(
        "‡: the experts are drawn at random at evaluation too, so the score is a mean over several draws. Of one seed, "
        "± "
        "is their standard deviation; it says nothing about seeds.");
  }
  if (any(table, [](const TableRow& row) { return row.undertrained; })) {
    notes.emplace_back(
        "†: undertrained. The validation loss still fell by more than 0.5 % over the last fifth of the updates, or too "
        "few validations show whether it did, so more training may change the row and its place.");
  }
  if (any(table, [](const TableRow& row) { return row.imported; })) {
    notes.emplace_back(
        "(imported): translations of another program, scored here. Training data, budget and selection are not known "
        "to be equal.");
  }
  if (any(table, has_last_model)) {
    notes.emplace_back(
        "Scores are of the mean of the weights over the end of training; beside them stands the BLEU of the last "
        "weights "
        "alone. Where the mean's loss is more than 0.5 % above theirs, a run counts as undertrained too.");
  }
  notes.emplace_back(
      "Validation figures are those of the last validation; test scores are taken once, after the last update. "
      "Tokens/s are training target tokens and depend on the machine.");
  return notes;
}

TextTable results_for_papers(const ResultsTable& table) {
  TextTable text;
  for (const TableRow& row : table.rows) {
    Columns cells(text);
    cells.add("strategy", false, marked_label(row));
    cells.add("experts", true, row.experts > 1 ? fmt::format("{}", row.experts) : nothing);
    if (any(table, has_setting)) cells.add("setting", false, row.setting);
    cells.add("total", true, format_count(row.total_parameters));
    cells.add("active", true, format_count(row.active_parameters));
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const auto& cell = row.scores[i];
      cells.add(column_name(table.columns[i], "bleu"), true,
                cell ? format_score(cell->bleu, cell->draws, cell->bleu_draw_spread, false) : nothing);
      cells.add(column_name(table.columns[i], "chrf"), true,
                cell ? format_score(cell->chrf, cell->draws, cell->chrf_draw_spread, false) : nothing);
    }
    if (has_baseline_test(table)) cells.add("against dense", true, format_against_baseline(row));
  }
  return text;
}

TextTable results_in_full(const ResultsTable& table) {
  TextTable text;
  for (const TableRow& row : table.rows) {
    Columns cells(text);
    cells.add("strategy", false, row.label);
    cells.add("router", false, row.router);
    cells.add("experts", true, fmt::format("{}", row.experts));
    cells.add("setting", false, row.setting);
    cells.add("seeds", true, fmt::format("{}", seed_count(row)));
    cells.add("failed", true, fmt::format("{}", row.failed.size()));
    cells.add("undertrained", false, row.undertrained ? "true" : "false");
    cells.add("total_parameters", true, in_full(row.total_parameters));
    cells.add("active_parameters", true, in_full(row.active_parameters));
    add_in_full(cells, "training_flops", row.training_flops);
    add_in_full(cells, "valid_bleu", row.valid_bleu);
    add_in_full(cells, "valid_loss", row.valid_loss);
    add_in_full(cells, "tokens_per_second", row.tokens_per_second);
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const auto& cell = row.scores[i];
      const std::string name = table.columns[i].set + "." + table.columns[i].direction;
      add_in_full(cells, name + ".bleu", cell ? std::optional(cell->bleu) : std::nullopt);
      if (any(table, has_last_model)) {
        add_in_full(cells, name + ".last_model_bleu", cell ? cell->last_model_bleu : std::nullopt);
      }
      cells.add(name + ".bleu_draw_sd", true, cell && cell->draws > 1 ? fmt::format("{}", cell->bleu_draw_spread) : "");
      add_in_full(cells, name + ".chrf", cell ? std::optional(cell->chrf) : std::nullopt);
      cells.add(name + ".chrf_draw_sd", true, cell && cell->draws > 1 ? fmt::format("{}", cell->chrf_draw_spread) : "");
    }
  }
  return text;
}

}  // namespace moe
