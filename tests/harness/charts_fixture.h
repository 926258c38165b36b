#pragma once
// Specifications of charts over the results of a folder, and verdicts made by hand.

#include "harness/report/charts/chart.h"
#include "tests/harness/results_fixture.h"

#include <optional>
#include <string>
#include <vector>

namespace moe {

inline const Chart& chart_named(const std::string& name) {
  for (const Chart& chart : all_charts()) {
    if (chart.name == name) return chart;
  }
  FAIL("no chart " << name);
  return all_charts().front();
}

inline std::optional<Json> draw_chart(const std::string& name, const ResultFolder& folder,
                                      const std::vector<Verdict>& verdicts = {}) {
  const ResultSet results = read_results({folder.path()}, {"dense", "switch", "thor"});
  return chart_named(name).specification({make_results_table(results), verdicts});
}

/// The data of a chart that has something to show.
inline Json chart_values(const std::string& name, const ResultFolder& folder) {
  const std::optional<Json> chart = draw_chart(name, folder);
  REQUIRE(chart.has_value());
  return chart->at("data").at("values");
}

/// A verdict with evidence: an effect with an interval over seeds that is 1 wide, and one over sentences 0.6 wide.
inline Verdict example_verdict(const std::string& id, VerdictKind kind, double effect) {
  Verdict verdict;
  verdict.id = id;
  verdict.says = "Claim " + id;
  verdict.kind = "better";
  verdict.metric = "bleu";
  verdict.verdict = kind;
  verdict.sentence = "Sentence of " + id + ".";
  verdict.runs = {"run-a", "run-b"};
  verdict.evidence = Evidence{.effect = effect,
                              .seed_effects = {effect},
                              .seeds_interval = Interval{effect - 0.5, effect + 0.5},
                              .sentences_interval = Interval{effect - 0.3, effect + 0.3},
                              .seeds = 3,
                              .sentences = 1000,
                              .seeds_p = 0.01,
                              .sentences_p = 0.02,
                              .p = 0.02,
                              .holm_p = 0.0004,
                              .blocks = {{"de-en, 4 experts", effect, 3}}};
  return verdict;
}

/// A claim about which nothing could be measured.
inline Verdict untestable_verdict(const std::string& id) {
  Verdict verdict = example_verdict(id, VerdictKind::untestable, 0);
  verdict.evidence.reset();
  return verdict;
}

}  // namespace moe
