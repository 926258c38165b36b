#pragma once
// Claims of a sweep file: what is written there, checked. Verdicts are harness/verdicts'.

#include "core/config.h"
#include "harness/sweep/config_paths.h"

#include <optional>
#include <string>

namespace moe {

/// One entry of `claims`. A selection is an object of configuration keys, nested or dotted; a list means any of its
/// values.
struct ClaimSettings {
  std::string id;
  std::string says;
  std::string kind = "better";
  std::string metric;
  Json a = Json::object();
  Json b = Json::object();
  Json better = Json::object();  ///< another name of `a`, and `worse` of `b`, as older files have them
  Json worse = Json::object();
  Json under = Json::object();
  Json against = Json::object();
  std::string key;
  double margin = 0;
  std::optional<double> delta;
  std::optional<double> ratio;
  double level = 0.05;
  std::string required;

  void visit(FieldVisitor& visitor);

  /// The name under which a selection was given: "a" or "better", "b" or "worse".
  const char* first_name() const { return better.empty() ? "a" : "better"; }
  const char* second_name() const { return worse.empty() ? "b" : "worse"; }
  const Json& first() const { return better.empty() ? a : better; }
  const Json& second() const { return worse.empty() ? b : worse; }
};

/// Adds to `errors` what is wrong with a list of claims.
void check_claims(const Json& claims, const ConfigPaths& paths, ConfigErrors& errors);

}  // namespace moe
