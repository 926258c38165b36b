#include "harness/report/tables/claims_table.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/sweep/setting_names.h"
#include "metrics/table.h"

#include <algorithm>

namespace moe {
namespace {

Json blocks_json(const Evidence& evidence) {
  Json blocks = Json::array();
  for (const BlockEffect& block : evidence.blocks) {
    blocks.push_back({{"name", block.name}, {"effect", block.effect}, {"seeds", block.seeds}});
  }
  return blocks;
}

/// null without an interval.
Json end_of(const std::optional<Interval>& interval, double Interval::* end) {
  return interval ? Json((*interval).*end) : Json();
}

Json claim_json(const Verdict& verdict) {
  const auto& evidence = verdict.evidence;
  const auto figure = [&](const auto& read) { return evidence ? Json(read(*evidence)) : Json(); };
  Json json = {{"id", verdict.id},
               {"says", verdict.says},
               {"kind", verdict.kind},
               {"metric", verdict.metric},
               {"verdict", verdict_name(verdict.verdict)},
               {"sentence", verdict.sentence}};
  json["effect"] = figure([](const Evidence& e) { return e.effect; });
  json["seeds_low"] = figure([](const Evidence& e) { return end_of(e.seeds_interval, &Interval::low); });
  json["seeds_high"] = figure([](const Evidence& e) { return end_of(e.seeds_interval, &Interval::high); });
  json["sentences_low"] = figure([](const Evidence& e) { return end_of(e.sentences_interval, &Interval::low); });
  json["sentences_high"] = figure([](const Evidence& e) { return end_of(e.sentences_interval, &Interval::high); });
  json["seeds"] = figure([](const Evidence& e) { return e.seeds; });
  json["sentences"] = figure([](const Evidence& e) { return e.sentences; });
  json["p"] = figure([](const Evidence& e) { return e.p ? Json(*e.p) : Json(); });
  json["holm_p"] = figure([](const Evidence& e) { return e.holm_p ? Json(*e.holm_p) : Json(); });
  json["seeds_to_decide"] = verdict.seeds_to_decide ? Json(*verdict.seeds_to_decide) : Json();
  json["open_by_sentences"] = verdict.open_by_sentences;
  json["looks"] = verdict.looks;
  json["looked_runs"] = verdict.looked_runs;
  json["unpaired"] = verdict.unpaired;
  json["blocks"] = evidence ? blocks_json(*evidence) : Json::array();
  json["runs"] = verdict.runs;
  json["margin"] = verdict.margin;
  json["delta"] = verdict.delta;
  json["level"] = verdict.level;
  return json;
}

/// As papers print them: what is below a thousandth is told as that.
std::string format_p(const std::optional<double>& value) {
  if (!value) return nothing;
  const double p = *value;
  return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p);
}

std::string seeds_to_decide(const Verdict& verdict) {
  if (verdict.verdict != VerdictKind::undecided) return "";
  if (verdict.open_by_sentences) return "more sentences";
  return verdict.seeds_to_decide ? fmt::format("{}", *verdict.seeds_to_decide)
                                 : fmt::format("more than {}", most_seeds_to_decide);
}

bool any(const std::vector<Verdict>& verdicts, bool (*condition)(const Verdict&)) {
  return std::any_of(verdicts.begin(), verdicts.end(), condition);
}

bool is_undecided(const Verdict& verdict) {
  return verdict.verdict == VerdictKind::undecided;
}
bool was_looked_at_again(const Verdict& verdict) {
  return verdict.looks > 1;
}
bool lacks_partners(const Verdict& verdict) {
  return verdict.unpaired > 0;
}

std::string csv_cell(const std::string& key, const Json& value) {
  if (value.is_null()) return "";
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (key != "blocks") return setting_text(value);
  std::vector<std::string> blocks;
  for (const Json& block : value) {
    blocks.push_back(fmt::format("{}: {}", block["name"].get<std::string>(), block["effect"].get<double>()));
  }
  return join(blocks, "; ");
}

}  // namespace

const std::string& claim_name(const Verdict& verdict) {
  return verdict.says.empty() ? verdict.id : verdict.says;
}

std::string format_effect(const Verdict& verdict, double value) {
  const int decimals = find_metric(verdict.metric).unit.empty() ? 2 : 4;  // BLEU in hundredths, nats in finer steps
  return fmt::format("{:+.{}f}", value, decimals);
}

std::string format_effects(const Verdict& verdict, const std::optional<Interval>& interval) {
  if (!interval) return nothing;
  return format_effect(verdict, interval->low) + " to " + format_effect(verdict, interval->high);
}

Json claims_json(const std::vector<Verdict>& verdicts) {
  Json claims = Json::array();
  for (const Verdict& verdict : verdicts) claims.push_back(claim_json(verdict));
  return claims;
}

TextTable format_claims(const std::vector<Verdict>& verdicts) {
  TextTable text{{"claim", "verdict", "metric", "effect", "interval over seeds", "interval over sentences", "seeds",
                  "p", "p (Holm)"},
                 {false, false, false, true, true, true, true, true, true},
                 {}};
  const auto add_column = [&](const char* name) {
    text.header.emplace_back(name);
    text.numeric.push_back(true);
  };
  const bool undecided = any(verdicts, is_undecided);
  const bool looks = any(verdicts, was_looked_at_again);
  const bool unpaired = any(verdicts, lacks_partners);
  if (undecided) add_column("seeds to decide");
  if (looks) add_column("looks");
  if (unpaired) add_column("unpaired runs");
  for (const Verdict& verdict : verdicts) {
    std::vector<std::string> cells = {claim_name(verdict), verdict_name(verdict.verdict),
                                      find_metric(verdict.metric).title};
    if (verdict.evidence) {
      const Evidence& evidence = *verdict.evidence;
      cells.insert(cells.end(),
                   {format_effect(verdict, evidence.effect), format_effects(verdict, evidence.seeds_interval),
                    format_effects(verdict, evidence.sentences_interval), fmt::format("{}", evidence.seeds),
                    format_p(evidence.p), format_p(evidence.holm_p)});
    } else {
      cells.insert(cells.end(), 6, nothing);
    }
    if (undecided) cells.push_back(seeds_to_decide(verdict));
    if (looks) cells.push_back(fmt::format("{}", verdict.looks));
    if (unpaired) cells.push_back(fmt::format("{}", verdict.unpaired));
    text.rows.push_back(std::move(cells));
  }
  return text;
}

std::vector<std::string> claims_notes(const std::vector<Verdict>& verdicts) {
  std::vector<std::string> notes = {
      "Effects are differences of the metric, above 0 in favour of the claim's first side; of growth, per doubling. "
      "Both "
      "intervals must speak before a difference is called real: over seeds (Student's t, paired) and over the "
      "sentences "
      "of the test sets (paired bootstrap).",
      "p is of the hypothesis that the verdict would reject, Holm's is corrected for all claims of the table."};
  if (any(verdicts, is_undecided)) {
    notes.emplace_back(
        "Seeds to decide: with so many, an effect of the size seen would be found four times in five, at the spread "
        "seen. More sentences: the test sets leave it open, whatever the number of seeds.");
  }
  if (any(verdicts, was_looked_at_again)) {
    notes.emplace_back(
        "Looks: how often the claim was evaluated on more runs. Who looks again until something is found finds too "
        "much.");
  }
  if (any(verdicts, lacks_partners)) {
    notes.emplace_back(
        "Unpaired runs have no partner that differs in what the claim compares alone, and are left out.");
  }
  return notes;
}

TextTable claims_in_full(const std::vector<Verdict>& verdicts) {
  TextTable text;
  for (const Json& claim : claims_json(verdicts)) {
    text.header.clear();
    text.numeric.clear();
    text.rows.emplace_back();
    for (const auto& [key, value] : claim.items()) {
      text.header.push_back(key);
      text.numeric.push_back(value.is_number());
      text.rows.back().push_back(csv_cell(key, value));
    }
  }
  return text;
}

}  // namespace moe
