#pragma once
// Claims of a sweep file: what is written there, checked. Verdicts are the report's.

#include "core/config.h"
#include "harness/sweep/config_paths.h"

#include <string>

namespace moe {

/// One entry of `claims`: the runs that match `better` have a better `metric` than those that match `worse`.
struct ClaimSettings {
  std::string id;
  std::string metric;
  Json better = Json::object();  ///< configuration keys, nested or dotted; a list means any of its values
  Json worse = Json::object();
  double margin = 0;

  void visit(FieldVisitor& visitor);
};

/// Adds to `errors` what is wrong with a list of claims.
void check_claims(const Json& claims, const ConfigPaths& paths, ConfigErrors& errors);

}  // namespace moe
