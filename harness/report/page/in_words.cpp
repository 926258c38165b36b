#include "harness/report/page/in_words.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>
#include <array>

namespace moe {
namespace {

constexpr std::size_t most_sentences = 5;  ///< beside the count of the claims

/// The order in which verdicts are told: what was decided comes first.
constexpr std::array order = {VerdictKind::supported, VerdictKind::contradicted, VerdictKind::undecided,
                              VerdictKind::untestable};

std::vector<const Verdict*> verdicts_of(const std::vector<Verdict>& verdicts, VerdictKind kind) {
  std::vector<const Verdict*> found;
  for (const Verdict& verdict : verdicts) {
    if (verdict.verdict == kind) found.push_back(&verdict);
  }
  return found;
}

/// "Of 5 claims 2 are supported, 1 is undecided and 2 are untestable."
std::string count_sentence(const std::vector<Verdict>& verdicts) {
  std::vector<std::string> counts;
  for (const VerdictKind kind : order) {
    const std::size_t count = verdicts_of(verdicts, kind).size();
    if (count > 0) counts.push_back(fmt::format("{} {} {}", count, count == 1 ? "is" : "are", verdict_name(kind)));
  }
  const std::string last = counts.back();
  counts.pop_back();
  const std::string listed = counts.empty() ? last : join(counts, ", ") + " and " + last;
  return fmt::format("Of {} {}.", count_of(std::ssize(verdicts), "claim"), listed);
}

/// How many verdicts of each kind are told: in turns, so that none of the kinds is hidden by many of another.
std::array<std::size_t, order.size()> shares(const std::vector<Verdict>& verdicts) {
  std::array<std::size_t, order.size()> share = {};
  std::size_t left = std::min(most_sentences, verdicts.size());
  while (left > 0) {
    for (std::size_t i = 0; i < order.size() && left > 0; ++i) {
      if (share[i] == verdicts_of(verdicts, order[i]).size()) continue;
      share[i] += 1;
      left -= 1;
    }
  }
  return share;
}

}  // namespace

std::vector<Statement> in_words(const ReportData& data) {
  if (data.verdicts.empty()) return {{evidence_sentence(data.table), std::nullopt}};
  std::vector<Statement> statements = {{count_sentence(data.verdicts), std::nullopt}};
  const auto share = shares(data.verdicts);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto of_kind = verdicts_of(data.verdicts, order[i]);
    for (std::size_t k = 0; k < share[i]; ++k) statements.push_back({of_kind[k]->sentence, order[i]});
  }
  if (data.verdicts.size() > most_sentences) {
    statements.front().text +=
        fmt::format(" Told here are {} of them; the table below has all.", statements.size() - 1);
  }
  return statements;
}

}  // namespace moe
