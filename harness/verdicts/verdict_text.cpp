#include "harness/verdicts/verdict_text.h"

#include "core/text.h"
#include "metrics/table.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace moe {
namespace {

int decimals_of(const std::string& metric) {
  return find_metric(metric).unit.empty() ? 2 : 3;  // points of BLEU and chrF against nats
}

std::string unit_of(const std::string& metric) {
  const MetricEntry& entry = find_metric(metric);
  return entry.unit.empty() ? entry.title : entry.unit;
}

std::string signed_text(double value, const std::string& metric) {
  return fmt::format("{:+.{}f}", value, decimals_of(metric));
}

std::string interval_text(const std::optional<Interval>& interval, const std::string& metric) {
  if (!interval) return "unknown";
  return fmt::format("{} to {}", signed_text(interval->low, metric), signed_text(interval->high, metric));
}

std::string p_text(double p) {
  return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", p);
}

/// " (95 % intervals: +1.20 to +2.60 over 3 seeds, +1.40 to +2.40 over 1000 sentences; p = 0.004)".
std::string evidence_text(const Verdict& verdict, const Evidence& evidence) {
  return fmt::format("({:g} % intervals: {} over {}, {} over {}; {} after Holm's correction)",
                     100 * (1 - verdict.level), interval_text(evidence.seeds_interval, verdict.metric),
                     count_of(static_cast<std::int64_t>(evidence.seeds), "seed"),
                     interval_text(evidence.sentences_interval, verdict.metric),
                     count_of(static_cast<std::int64_t>(evidence.sentences), "sentence"),
                     p_text(evidence.holm_p.value_or(1)));
}

/// What was seen, without a judgement: "thor is better than switch by 1.92 BLEU".
std::string effect_sentence(const Verdict& verdict, double effect, const Contrast& contrast) {
  const std::string size = effect_text(effect, verdict.metric);
  if (verdict.kind == "grows_with") {
    return fmt::format("{} of {} {} by {} with every doubling", find_metric(verdict.metric).title, contrast.first,
                       effect < 0 ? "falls" : "grows", size);
  }
  if (verdict.kind == "interaction") {
    return fmt::format("{} gains {} {} over {} under the first condition than under the second", contrast.first, size,
                       effect < 0 ? "less" : "more", contrast.second);
  }
  return fmt::format("{} is {} than {} by {}", contrast.first, effect < 0 ? "worse" : "better", contrast.second, size);
}

std::string decide_text(const Verdict& verdict, std::size_t seeds) {
  if (verdict.open_by_sentences) {
    return "More seeds alone would not decide it: the sentences of the test sets leave it open.";
  }
  const std::string condition = fmt::format("for 80 % power at the spread seen, where {} were run", seeds);
  if (!verdict.seeds_to_decide)
    return fmt::format("More than {} seeds would be needed {}.", most_seeds_to_decide, condition);
  return fmt::format("{} seeds would be needed {}.", *verdict.seeds_to_decide, condition);
}

bool objectives_differ(const Contrast& contrast) {
  std::set<std::string> objectives;
  for (const RunResult* run : contrast.runs()) {
    Json objective = Json::object();
    for (const auto& [key, value] : run->settings.items()) {
      if (key.starts_with("strategy.objective.")) objective[key] = value;
    }
    objectives.insert(objective.dump());
  }
  return objectives.size() > 1;
}

std::string judgement(const Verdict& verdict, const Contrast& contrast, const std::string& problem) {
  const std::string head = fmt::format("{}: {}.", verdict.says, verdict_name(verdict.verdict));
  if (verdict.verdict == VerdictKind::untestable || !verdict.evidence) return head + " " + problem;
  const Evidence& evidence = *verdict.evidence;
  const std::string seen =
      effect_sentence(verdict, evidence.effect, contrast) + " " + evidence_text(verdict, evidence) + ".";
  if (verdict.verdict == VerdictKind::undecided) {
    return fmt::format("{} {} {}", head, seen, decide_text(verdict, evidence.seeds));
  }
  const bool supported = verdict.verdict == VerdictKind::supported;
  const bool equal = supported ? verdict.kind == "equal" : verdict.by_equality;
  const std::string within = effect_text(verdict.delta, verdict.metric);
  if (equal) return fmt::format("{} They are equal within {}: {}", head, within, seen);
  if (verdict.kind == "ratio_of_parameters") {
    return fmt::format("{} That is {}within the {} that are allowed: {}", head, supported ? "" : "not ", within, seen);
  }
  return head + " " + seen;
}

}  // namespace

std::string effect_text(double effect, const std::string& metric) {
  return fmt::format("{:.{}f} {}", std::abs(effect), decimals_of(metric), unit_of(metric));
}

std::string default_words(const ClaimSettings& claim, const Contrast& contrast) {
  const std::string a = contrast.first.empty() ? "a" : contrast.first,
                    b = contrast.second.empty() ? "b" : contrast.second;
  const std::string metric = find_metric(claim.metric).title;
  if (claim.kind == "equal") return fmt::format("{} and {} are equal in {}", a, b, metric);
  if (claim.kind == "grows_with") return fmt::format("{} of {} grows with {}", metric, a, claim.key);
  if (claim.kind == "interaction") return fmt::format("{} gains more {} over {} under one condition", a, metric, b);
  if (claim.kind == "ratio_of_parameters") {
    return fmt::format("{} is not worse than {} with {:g} times its parameters", a, b, claim.ratio.value_or(1));
  }
  return fmt::format("{} is better than {} in {}", a, b, metric);
}

std::string verdict_sentence(const Verdict& verdict, const Contrast& contrast, const std::string& problem) {
  const std::string sentence = judgement(verdict, contrast, problem);
  const bool unlike = verdict.metric == "loss" && verdict.evidence && objectives_differ(contrast);
  return unlike ? sentence + " The runs have different objectives, whose losses do not compare; calibrated_loss does."
                : sentence;
}

}  // namespace moe
