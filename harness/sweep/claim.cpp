#include "harness/sweep/claim.h"

#include "core/error.h"
#include "harness/sweep/grid.h"
#include "metrics/table.h"

#include <set>

namespace moe {
namespace {

void check_group(const Json& group, const std::string& place, const ConfigPaths& paths, ConfigErrors& errors) {
  check_conditions(read_entry(group, place, paths, errors), paths, errors);
}

}  // namespace

void ClaimSettings::visit(FieldVisitor& visitor) {
  const Json keys = {{"type", "object"}, {"minProperties", 1}};
  visitor.field({.key = "id", .help = "name of the claim in the report"}, id);
  visitor.field({.key = "metric", .help = "what is compared on the test sets", .choices = metrics_in_claims()}, metric);
  visitor.field({.key = "better", .help = "configuration keys of the runs said to be better", .schema = keys}, better);
  visitor.field({.key = "worse", .help = "configuration keys of the runs said to be worse", .schema = keys}, worse);
  visitor.field({.key = "margin", .help = "difference that must be exceeded, in the metric's unit", .minimum = 0},
                margin);
}

void check_claims(const Json& claims, const ConfigPaths& paths, ConfigErrors& errors) {
  if (!claims.is_array()) {
    errors.add("claims", fmt::format("found {}, expected a list of objects.", short_json(claims)));
    return;
  }
  std::set<std::string> ids;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::string place = fmt::format("claims[{}]", i);
    ClaimSettings claim;
    read_settings(claim, claims[i], place, errors);
    if (!claims[i].is_object()) continue;
    for (const char* key : {"id", "metric", "better", "worse"}) {
      errors.check(claims[i].contains(key), join_path(place, key),
                   "missing; a claim needs id, metric, better and worse.");
    }
    errors.check(claim.id.empty() || ids.insert(claim.id).second, join_path(place, "id"),
                 fmt::format("\"{}\" is the id of another claim too.", claim.id));
    if (claims[i].contains("better")) check_group(claim.better, join_path(place, "better"), paths, errors);
    if (claims[i].contains("worse")) check_group(claim.worse, join_path(place, "worse"), paths, errors);
  }
}

}  // namespace moe
