#include "harness/report/baseline.h"

#include "core/error.h"
#include "harness/verdicts/pairing.h"
#include "harness/verdicts/verdicts.h"

#include <algorithm>

namespace moe {
namespace {

constexpr const char* baseline = "dense";

/// The baseline's row for this one, or null.
const TableRow* partner_of(const TableRow& row, const ResultsTable& table, const PairingKeys& keys) {
  if (row.label == baseline || row.runs.empty() || row.imported) return nullptr;
  const std::string conditions = keys.conditions_of(*row.runs.front());
  const auto found = std::find_if(table.rows.begin(), table.rows.end(), [&](const TableRow& other) {
    return other.label == baseline && !other.runs.empty() && keys.conditions_of(*other.runs.front()) == conditions;
  });
  return found == table.rows.end() ? nullptr : &*found;
}

bool is_tested(const TableRow& row) {
  return row.against_baseline && row.against_baseline->verdict != VerdictKind::untestable;
}

}  // namespace

void compare_with_baseline(const ResultSet& results, ResultsTable& table) {
  const PairingKeys keys(results, {});
  std::vector<TableRow*> rows;
  std::vector<ConfigurationPair> pairs;
  for (TableRow& row : table.rows) {
    const TableRow* partner = partner_of(row, table, keys);
    if (partner == nullptr) continue;
    rows.push_back(&row);
    pairs.push_back({row.runs, partner->runs});
  }
  const std::vector<Verdict> verdicts = compare_configurations(pairs, "bleu");
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i]->against_baseline = verdicts[i];
}

std::string format_against_baseline(const TableRow& row) {
  if (!is_tested(row)) return nothing;
  const Verdict& verdict = *row.against_baseline;
  return fmt::format("{:+.2f}{}", verdict.evidence->effect, verdict.verdict == VerdictKind::undecided ? "" : " *");
}

bool has_baseline_test(const ResultsTable& table) {
  return std::any_of(table.rows.begin(), table.rows.end(), is_tested);
}

}  // namespace moe
