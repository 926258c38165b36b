#include "harness/report/baseline.h"

#include "core/error.h"
#include "harness/sweep/json_tools.h"
#include "harness/verdicts/pairing.h"
#include "harness/verdicts/verdicts.h"

#include <algorithm>
#include <set>

namespace moe {
namespace {

constexpr const char* baseline = "dense";

/// True when two rows differ in nothing but their strategy.
bool same_settings(const TableRow& one, const TableRow& other, const std::vector<std::string>& axes) {
  return std::all_of(axes.begin(), axes.end(), [&](const std::string& axis) {
    const auto value = [&](const TableRow& row) { return row.runs.front()->settings.value(axis, Json()); };
    return axis == "training.seed" || is_at_or_below(axis, "strategy") || value(one) == value(other);
  });
}

/// The baseline's row for this one: of several that a strategy's own settings leave, the one with the same; null where
/// there is none or it cannot be told.
const TableRow* partner_of(const TableRow& row, const ResultsTable& table, const PairingKeys& keys,
                           const std::vector<std::string>& axes) {
  if (row.label == baseline || row.runs.empty() || row.imported) return nullptr;
  const std::string conditions = keys.conditions_of(*row.runs.front());
  std::vector<const TableRow*> candidates;
  for (const TableRow& other : table.rows) {
    if (other.label != baseline || other.runs.empty()) continue;
    if (keys.conditions_of(*other.runs.front()) != conditions) continue;
    if (same_settings(row, other, axes)) return &other;
    candidates.push_back(&other);
  }
  return candidates.size() == 1 ? candidates.front() : nullptr;
}

bool is_tested(const TableRow& row) {
  return row.against_baseline && row.against_baseline->verdict != VerdictKind::untestable;
}

bool is_real(const Verdict& verdict) {
  return verdict.verdict == VerdictKind::supported || verdict.verdict == VerdictKind::contradicted;
}

/// The language pairs that some results have scores in.
std::set<std::string> directions_of(const ResultsTable& table) {
  std::set<std::string> directions;
  for (const TestColumn& column : table.columns) directions.insert(column.direction);
  return directions;
}

}  // namespace

void compare_with_baseline(const ResultSet& results, ResultsTable& table) {
  const PairingKeys keys(results, {});
  const std::set<std::string> directions = directions_of(table);
  std::vector<TableRow*> rows;
  std::vector<ConfigurationPair> pairs, pairs_in_directions;
  for (TableRow& row : table.rows) {
    const TableRow* partner = partner_of(row, table, keys, results.axes);
    if (partner == nullptr) continue;
    rows.push_back(&row);
    pairs.push_back({row.runs, partner->runs});
    if (directions.size() < 2) continue;
    for (const std::string& direction : directions) pairs_in_directions.push_back({row.runs, partner->runs, direction});
  }
  const std::vector<Verdict> verdicts = compare_configurations(pairs, "bleu");
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i]->against_baseline = verdicts[i];
  const std::vector<Verdict> in_directions = compare_configurations(pairs_in_directions, "bleu");
  for (std::size_t i = 0; i < in_directions.size(); ++i) {
    rows[i / directions.size()]->against_baseline_in[pairs_in_directions[i].direction] = in_directions[i];
  }
}

std::string format_against_baseline(const TableRow& row) {
  if (!row.against_baseline) return nothing;
  const Verdict& verdict = *row.against_baseline;
  if (verdict.verdict == VerdictKind::untestable || !verdict.evidence) return nothing;
  return fmt::format("{:+.2f}{}", verdict.evidence->effect, is_real(verdict) ? " *" : "");
}

bool differs_from_baseline(const TableRow& row, const std::string& direction) {
  const auto found = row.against_baseline_in.find(direction);
  return found != row.against_baseline_in.end() && is_real(found->second);
}

bool has_baseline_test(const ResultsTable& table) {
  return std::any_of(table.rows.begin(), table.rows.end(), is_tested);
}

}  // namespace moe
