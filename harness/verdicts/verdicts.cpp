#include "harness/verdicts/verdicts.h"

#include "core/error.h"
#include "harness/sweep/claim.h"
#include "harness/sweep/config_paths.h"
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
  /// Equality within delta says nothing against a difference above a margin of its own.
  bool has_alternative() const {
    return claim.kind == "equal" || (claim.kind == "better" && bound() == 0 && verdict.delta > 0);
  }
};

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
  const Evidence& evidence = tested.measured.evidence;
  const double delta = tested.verdict.delta;
  if (tested.claim.kind == "equal") {
    tested.main = equality_p(tested.measured, delta);
    if (std::abs(evidence.effect) > delta) {
      tested.alternative = difference_p(tested.measured, std::copysign(delta, evidence.effect));
    }
    return;
  }
  tested.main = difference_p(tested.measured, tested.bound());
  if (tested.has_alternative()) tested.alternative = equality_p(tested.measured, delta);
}

/// One hypothesis of a claim with what Holm's procedure makes of it.
struct Corrected {
  TestedP p;
  double holm_p = 1;
  double factor = 1;  ///< what p is multiplied with to decide: at least the number of claims with no smaller p
};

/// Seeds with which the effect seen would decide, by the hypothesis that needs fewer of those that the sentences do not
/// leave open; more than there are, since those did not decide.
std::optional<int> seeds_to_decide(const Case& tested, const Corrected& main, const Corrected& alternative) {
  const Evidence& evidence = tested.measured.evidence;
  const bool equality = tested.claim.kind == "equal";
  const double delta = tested.verdict.delta, bound = equality ? std::copysign(delta, evidence.effect) : tested.bound();
  const double deviation = sample_deviation(evidence.seed_effects).value_or(0);
  const int more = static_cast<int>(evidence.seeds) + 1;
  std::optional<int> fewest;
  const auto consider = [&](const Corrected& tried, const auto& count_at) {
    const double level = tested.verdict.level / tried.factor;
    if (tried.p.sentences > level) return;
    const std::optional<int> count = count_at(level);
    if (!count || std::max(*count, more) > most_seeds_to_decide) return;
    fewest = std::min(fewest.value_or(most_seeds_to_decide), std::max(*count, more));
  };
  consider(equality ? alternative : main, [&](double level) {
    return count_for_power(evidence.effect - bound, deviation, level, wanted_power, most_seeds_to_decide);
  });
  consider(equality ? main : alternative, [&](double level) {
    return count_for_equivalence(evidence.effect, deviation, delta, level, wanted_power, most_seeds_to_decide);
  });
  return fewest;
}

void judge(Case& tested, const Corrected& main, const Corrected& alternative) {
  Verdict& verdict = tested.verdict;
  Evidence evidence = tested.measured.evidence;
  const auto decide = [&](VerdictKind kind, const Corrected& by) {
    verdict.verdict = kind;
    evidence.seeds_p = by.p.seeds;
    evidence.sentences_p = by.p.sentences;
    evidence.p = by.p.both();
    evidence.holm_p = by.holm_p;
  };
  const bool equality = tested.claim.kind == "equal";
  if (main.holm_p <= verdict.level) {
    const bool stated = equality || evidence.effect > tested.bound();
    decide(stated ? VerdictKind::supported : VerdictKind::contradicted, main);
  } else if (alternative.holm_p <= verdict.level) {
    decide(VerdictKind::contradicted, alternative);
    verdict.by_equality = !equality;
  } else {
    decide(VerdictKind::undecided, main);
    const auto open = [&](const Corrected& by) { return by.p.sentences * by.factor > verdict.level; };
    verdict.open_by_sentences = open(main) && open(alternative);
    verdict.seeds_to_decide = seeds_to_decide(tested, main, alternative);
  }
  verdict.evidence = evidence;
}

/// Enough that a claim can be decided however many there are beside it: p is never below 1 / (samples + 1).
int bootstrap_samples(std::size_t claims, double level) {
  return std::max(1000, static_cast<int>(std::ceil(2 * static_cast<double>(claims) / level)));
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

/// A claim that is not written as claims are.
Case broken_claim(const Json& json, const std::string& place, const std::string& problem) {
  Case broken;
  Verdict& verdict = broken.verdict;
  const auto text = [&](const char* key) {
    const bool has = json.is_object() && json.contains(key) && json[key].is_string();
    return has ? json[key].get<std::string>() : std::string();
  };
  broken.claim.id = text("id").empty() ? place : text("id");
  verdict.id = broken.claim.id;
  verdict.says = text("says").empty() ? broken.claim.id : text("says");
  verdict.kind = broken.claim.kind;
  verdict.metric = "bleu";
  broken.problem = problem;
  return broken;
}

Case prepare(const Json& json, const std::string& place, const ResultSet& results, const SentenceReader& read,
             std::size_t claims) {
  Case prepared;
  ConfigErrors none;  // prepare_claims has checked it
  read_settings(prepared.claim, json, place, none);
  const ClaimSettings& claim = prepared.claim;
  prepared.contrast = make_contrast(claim, place, results);
  prepared.problem = prepared.contrast.problem;
  Verdict& verdict = prepared.verdict;
  verdict.id = claim.id;
  verdict.kind = claim.kind;
  verdict.metric = claim.metric;
  verdict.says = claim.says.empty() ? default_words(claim, prepared.contrast) : claim.says;
  verdict.margin = claim.margin;
  verdict.delta = claim.delta.value_or(find_metric(claim.metric).equal_within);
  verdict.level = claim.level;
  measure_case(prepared, {read, bootstrap_samples(claims, claim.level), claim.level});
  return prepared;
}

/// The first thing that is wrong with the claim at a place, empty when nothing is.
std::string error_at(const ConfigErrors& errors, const std::string& place) {
  for (const ConfigError& error : errors.errors()) {
    if (error.path.starts_with(place + ".") || error.path == place) return error.path + ": " + error.sentence;
  }
  return "";
}

/// The claims of a sweep, each by itself: a broken one says so and leaves the others alone.
std::vector<Case> prepare_claims(const Json& claims, const ResultSet& results, const SentenceReader& read,
                                 std::size_t all) {
  ConfigErrors errors;
  check_claims(claims, all_config_paths(), errors);
  std::vector<Case> cases;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::string place = fmt::format("claims[{}]", i), problem = error_at(errors, place);
    cases.push_back(problem.empty() ? prepare(claims[i], place, results, read, all)
                                    : broken_claim(claims[i], place, problem));
  }
  return cases;
}

Case prepare_pair(const ConfigurationPair& pair, const std::string& metric, const SentenceReader& read,
                  std::size_t pairs) {
  Case prepared;
  prepared.verdict.kind = prepared.claim.kind;
  prepared.verdict.metric = metric;
  prepared.contrast = contrast_of_pair(pair.first, pair.second, metric);
  prepared.problem = prepared.contrast.problem;
  measure_case(prepared, {.read = read,
                          .samples = bootstrap_samples(pairs, prepared.verdict.level),
                          .level = prepared.verdict.level,
                          .direction = pair.direction,
                          .sparing = true});
  return prepared;
}

/// Holm's procedure over one hypothesis of each claim.
std::vector<Corrected> correct(const std::vector<TestedP>& hypotheses) {
  std::vector<double> p;
  for (const TestedP& hypothesis : hypotheses) p.push_back(hypothesis.both());
  const std::vector<double> adjusted = holm_adjusted(p);
  std::vector<Corrected> corrected;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const auto rivals = std::count_if(p.begin(), p.end(), [&](double other) { return other >= p[i]; });
    corrected.push_back({hypotheses[i], adjusted[i], std::max(adjusted[i] / p[i], static_cast<double>(rivals))});
  }
  return corrected;
}

/// What claims state and what would contradict them are corrected each by itself: to have shown that one pair is equal
/// leaves open whether it differs a little, so it must not make it easier to call another pair different.
void judge_all(std::vector<Case>& cases) {
  std::vector<TestedP> main, alternative;
  for (const Case& one : cases) {
    if (one.tested()) main.push_back(one.main);
    if (one.tested() && one.has_alternative()) alternative.push_back(one.alternative);
  }
  const std::vector<Corrected> corrected_main = correct(main), corrected_alternative = correct(alternative);
  auto next_main = corrected_main.begin(), next_alternative = corrected_alternative.begin();
  for (Case& one : cases) {
    if (one.tested()) judge(one, *next_main++, one.has_alternative() ? *next_alternative++ : Corrected{});
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
  std::size_t all = 0;
  for (const Json& sweep : results.sweeps) all += sweep.value("claims", Json::array()).size();
  std::vector<Case> cases;
  std::set<std::string> ids;
  for (const Json& sweep : results.sweeps) {
    for (Case& one : prepare_claims(sweep.value("claims", Json::array()), results, read, all)) {
      if (ids.insert(one.claim.id).second) cases.push_back(std::move(one));
    }
  }
  judge_all(cases);
  apply_requirements(cases);
  std::vector<Verdict> verdicts;
  for (Case& one : cases) {
    Verdict& verdict = one.verdict;
    verdict.sentence = verdict_sentence(verdict, one.contrast, one.problem);
    if (const auto before = earlier.find(one.claim.id); before != earlier.end()) {
      verdict.looks = before->second.looks;
      verdict.looked_runs = before->second.runs;
    }
    if (verdict.evidence && verdict.evidence->p && verdict.runs.size() > verdict.looked_runs) {
      ++verdict.looks;
      verdict.looked_runs = verdict.runs.size();
    }
    verdicts.push_back(std::move(verdict));
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
  const Json claims = summary.is_object() ? summary.value("claims", Json()) : Json();
  if (!claims.is_array()) return looks;
  for (const Json& claim : claims) {
    if (!claim.is_object()) continue;
    const Json id = claim.value("id", Json()), times = claim.value("looks", Json()),
               runs = claim.value("looked_runs", Json());
    if (!id.is_string() || !times.is_number_unsigned()) continue;
    // Older summaries counted seeds, and list the runs.
    const std::size_t count =
        runs.is_number_unsigned() ? runs.get<std::size_t>() : claim.value("runs", Json::array()).size();
    looks[id.get<std::string>()] = {times.get<std::int64_t>(), count};
  }
  return looks;
}

}  // namespace moe
