#include "harness/verdicts/verdicts.h"

#include "core/error.h"
#include "harness/sweep/claim.h"
#include "harness/verdicts/contrast.h"
#include "harness/verdicts/measurement.h"
#include "harness/verdicts/verdict_text.h"
#include "metrics/comparison/hypothesis_tests.h"
#include "metrics/comparison/paired_bootstrap.h"
#include "metrics/table.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace moe {
namespace {

constexpr double wanted_power = 0.8;

/// Both tests' p values of one hypothesis, and the larger: each must reject it.
struct TestedP {
  double seeds = 1;
  double sentences = 1;
  double both() const { return std::max(seeds, sentences); }
};

/// A claim on its way to a verdict.
struct Case {
  ClaimSettings claim;
  Contrast contrast;
  Measurement measured;
  Verdict verdict;
  std::string problem;
  TestedP main;         ///< of the hypothesis that the claim's own statement is wrong at its bound
  TestedP alternative;  ///< of the one whose rejection contradicts it; 1 where the kind has none

  bool tested() const { return problem.empty(); }
  /// What the effect is held against.
  double bound() const { return claim.kind == "ratio_of_parameters" ? -verdict.delta : verdict.margin; }
  double smaller_p() const { return std::min(main.both(), alternative.both()); }
};

double default_delta(const std::string& metric) {
  return find_metric(metric).better == Better::higher ? 0.5 : 0.02;
}

TestedP difference_p(const Measurement& measured, double bound) {
  const bool asked = !measured.sentences.resampled.empty();
  return {t_test_p(measured.evidence.seed_effects, bound), asked ? bootstrap_p(measured.sentences, bound) : 1};
}

TestedP equality_p(const Measurement& measured, double delta) {
  const bool asked = !measured.sentences.resampled.empty();
  return {equivalence_p(measured.evidence.seed_effects, delta),
          asked ? bootstrap_equivalence_p(measured.sentences, delta) : 1};
}

void test(Case& tested) {
  const Evidence& evidence = *tested.verdict.evidence;
  const double delta = tested.verdict.delta;
  if (tested.claim.kind == "equal") {
    tested.main = equality_p(tested.measured, delta);
    if (std::abs(evidence.effect) > delta) {
      tested.alternative = difference_p(tested.measured, std::copysign(delta, evidence.effect));
    }
    return;
  }
  tested.main = difference_p(tested.measured, tested.bound());
  // With a margin beyond delta the difference itself says enough, and both hypotheses could be true at once.
  if (tested.claim.kind == "better" && delta > tested.bound()) {
    tested.alternative = equality_p(tested.measured, delta);
  }
}

/// Seeds with which the effect seen would be found at this level, which Holm's correction has made smaller; more than
/// there are, since those did not find it.
std::optional<int> seeds_to_decide(const Case& tested, double level) {
  const Evidence& evidence = *tested.verdict.evidence;
  const double deviation = sample_deviation(evidence.seed_effects).value_or(0);
  const std::optional<int> count =
      tested.claim.kind == "equal"
          ? count_for_equivalence(evidence.effect, deviation, tested.verdict.delta, level, wanted_power,
                                  most_seeds_to_decide)
          : count_for_power(evidence.effect - tested.bound(), deviation, level, wanted_power, most_seeds_to_decide);
  if (!count) return std::nullopt;
  return std::max(*count, static_cast<int>(evidence.seeds) + 1);
}

/// `correction`: what Holm's procedure multiplies the claim's p values with.
void judge(Case& tested, double correction) {
  Verdict& verdict = tested.verdict;
  Evidence& evidence = *verdict.evidence;
  const auto corrected = [&](const TestedP& p) { return std::min(1.0, p.both() * correction); };
  const auto decide = [&](VerdictKind kind, const TestedP& p) {
    verdict.verdict = kind;
    evidence.seeds_p = p.seeds;
    evidence.sentences_p = p.sentences;
    evidence.p = p.both();
    evidence.holm_p = corrected(p);
  };
  const bool equality = tested.claim.kind == "equal";
  if (corrected(tested.main) <= verdict.level) {
    const bool stated = equality || evidence.effect > tested.bound();
    decide(stated ? VerdictKind::supported : VerdictKind::contradicted, tested.main);
  } else if (corrected(tested.alternative) <= verdict.level) {
    decide(VerdictKind::contradicted, tested.alternative);
  } else {
    decide(VerdictKind::undecided, tested.main);
    verdict.seeds_to_decide = seeds_to_decide(tested, verdict.level / correction);
  }
}

/// Enough that a claim can be decided however many there are beside it: p is never below 1 / (samples + 1).
int bootstrap_samples(std::size_t claims) {
  return 1000 + 40 * static_cast<int>(claims);
}

/// Measures and tests the contrast of a case that has one.
void measure_case(Case& measured, const MeasurementOptions& options) {
  Verdict& verdict = measured.verdict;
  verdict.unpaired = measured.contrast.unpaired;
  for (const RunResult* run : measured.contrast.runs()) verdict.runs.push_back(run->run_id);
  if (!measured.tested()) return;
  try {
    measured.measured = measure(measured.contrast, verdict.metric, options);
    measured.problem = measured.measured.problem;
    if (std::isfinite(measured.measured.evidence.effect)) verdict.evidence = measured.measured.evidence;
  } catch (const Error& error) {  // a file of sentence scores that is missing, cut or foreign
    measured.problem = error.what();
  }
  if (measured.tested()) test(measured);
}

Case prepare(const Json& json, const std::string& place, const ResultSet& results, const SentenceReader& read,
             std::size_t claims) {
  Case prepared;
  ConfigErrors errors;
  read_settings(prepared.claim, json, place, errors);
  errors.throw_if_any("sweep.json");
  const ClaimSettings& claim = prepared.claim;
  prepared.contrast = make_contrast(claim, place, results);
  prepared.problem = prepared.contrast.problem;
  Verdict& verdict = prepared.verdict;
  verdict.id = claim.id;
  verdict.kind = claim.kind;
  verdict.metric = claim.metric;
  verdict.says = claim.says.empty() ? default_words(claim, prepared.contrast) : claim.says;
  verdict.margin = claim.margin;
  verdict.delta = claim.delta.value_or(default_delta(claim.metric));
  verdict.level = claim.level;
  measure_case(prepared, {read, bootstrap_samples(claims), claim.level});
  return prepared;
}

Case prepare_pair(const ConfigurationPair& pair, const std::string& metric, const SentenceReader& read,
                  std::size_t pairs) {
  Case prepared;
  prepared.verdict.kind = prepared.claim.kind;
  prepared.verdict.metric = metric;
  prepared.contrast = contrast_of_pair(pair.first, pair.second, metric);
  prepared.problem = prepared.contrast.problem;
  measure_case(prepared, {read, bootstrap_samples(pairs), prepared.verdict.level, /*sparing=*/true});
  return prepared;
}

/// Holm's procedure over the claims. Each counts once though it has two hypotheses, since only one of the two can be
/// true (Shaffer 1986).
void judge_all(std::vector<Case>& cases) {
  std::vector<double> p;
  for (const Case& one : cases) {
    if (one.tested()) p.push_back(one.smaller_p());
  }
  const std::vector<double> adjusted = holm_adjusted(p);
  std::size_t i = 0;
  for (Case& one : cases) {
    if (!one.tested()) continue;
    judge(one, adjusted[i] / p[i]);
    ++i;
  }
}

/// A claim whose positive control failed says nothing, whatever its numbers. Controls may have controls.
void apply_requirements(std::vector<Case>& cases) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (Case& one : cases) {
      if (one.claim.required.empty() || !one.tested()) continue;
      const auto control = std::find_if(cases.begin(), cases.end(),
                                        [&](const Case& other) { return other.claim.id == one.claim.required; });
      if (control != cases.end() && control->verdict.verdict == VerdictKind::supported) continue;
      const std::string found = control == cases.end() ? "missing" : verdict_name(control->verdict.verdict);
      one.verdict.verdict = VerdictKind::untestable;
      one.verdict.seeds_to_decide.reset();
      one.problem = fmt::format("Its positive control, \"{}\", is {}.", one.claim.required, found);
      changed = true;
    }
  }
}

}  // namespace

std::vector<Verdict> make_verdicts(const ResultSet& results, const std::map<std::string, EarlierLook>& earlier,
                                   const SentenceReader& read) {
  std::vector<Case> cases;
  std::set<std::string> ids;
  for (const Json& sweep : results.sweeps) {
    const Json claims = sweep.value("claims", Json::array());
    for (std::size_t i = 0; i < claims.size(); ++i) {
      Case one = prepare(claims[i], fmt::format("claims[{}]", i), results, read, claims.size());
      if (ids.insert(one.claim.id).second) cases.push_back(std::move(one));
    }
  }
  judge_all(cases);
  apply_requirements(cases);
  std::vector<Verdict> verdicts;
  for (Case& one : cases) {
    one.verdict.sentence = verdict_sentence(one.verdict, one.contrast, one.problem);
    const auto before = earlier.find(one.claim.id);
    const std::size_t seeds = one.contrast.seeds().size();
    if (before != earlier.end()) {
      one.verdict.looks = std::max<std::int64_t>(1, before->second.looks + (seeds > before->second.seeds ? 1 : 0));
    }
    verdicts.push_back(std::move(one.verdict));
  }
  return verdicts;
}

std::vector<Verdict> compare_configurations(const std::vector<ConfigurationPair>& pairs, const std::string& metric,
                                            const SentenceReader& read) {
  std::vector<Case> cases;
  for (const ConfigurationPair& pair : pairs) cases.push_back(prepare_pair(pair, metric, read, pairs.size()));
  judge_all(cases);
  std::vector<Verdict> verdicts;
  for (Case& one : cases) {
    one.verdict.sentence = verdict_sentence(one.verdict, one.contrast, one.problem);
    verdicts.push_back(std::move(one.verdict));
  }
  return verdicts;
}

std::map<std::string, EarlierLook> earlier_looks(const Json& summary) {
  std::map<std::string, EarlierLook> looks;
  if (!summary.is_object()) return looks;
  for (const Json& claim : summary.value("claims", Json::array())) {
    if (claim.contains("id") && claim.contains("looks") && claim.contains("seeds")) {
      looks[claim["id"]] = {claim["looks"], claim["seeds"]};
    }
  }
  return looks;
}

}  // namespace moe
