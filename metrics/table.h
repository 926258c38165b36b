#pragma once
// The table of metrics: what each is called, its unit, which way is better, and what defines it. Tables, charts,
// claims, tuning and `moe-bench list metrics` ask it.

#include <string>
#include <vector>

namespace moe {

enum class Better { higher, lower, neither };

struct MetricEntry {
  std::string name;     ///< as result.json, claims and tuning call it
  std::string title;    ///< in tables and on axes
  std::string summary;  ///< one line
  std::string range = {};
  std::string unit = {};
  Better better = Better::neither;
  std::string note = {};    ///< what a value means
  std::string source = {};  ///< paper or program
  std::string signature =
      {};  ///< of its definition, as sacreBLEU prints it; empty: semantics_version of a result tells it
  double equal_within = 0;  ///< of claims: a difference up to this counts as none, unless a claim says otherwise
  bool in_claims = false;   ///< claims of a sweep may compare it on the test sets
  bool in_tuning = false;   ///< tuning may compare it on the validation set
};

/// All metrics: scores of translations, then how MoE layers route.
const std::vector<MetricEntry>& all_metrics();

/// The metric of that name. Throws for an unknown one.
const MetricEntry& find_metric(const std::string& name);

/// Names of the metrics that claims, or tuning, may compare.
std::vector<std::string> metrics_in_claims();
std::vector<std::string> metrics_in_tuning();

/// "loss (nats per token)".
std::string axis_title(const MetricEntry& metric);

/// The summary with range, unit, direction and note.
std::string described(const MetricEntry& metric);

}  // namespace moe
