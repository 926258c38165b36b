#include "harness/sweep/claim.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/sweep/grid.h"
#include "metrics/table.h"

#include <algorithm>
#include <map>
#include <set>

namespace moe {
namespace {

/// Which keys a claim of a kind needs besides id and metric, and which it may have.
struct ClaimKind {
  std::vector<std::string> needed;
  std::vector<std::string> allowed;
};

const std::map<std::string, ClaimKind>& claim_kinds() {
  static const std::map<std::string, ClaimKind> kinds = {
      {"better", {{"a", "b"}, {"margin", "delta"}}},
      {"equal", {{"a", "b"}, {"delta"}}},
      {"grows_with", {{"a", "key"}, {"margin"}}},
      {"interaction", {{"a", "b", "under", "against"}, {"margin"}}},
      {"ratio_of_parameters", {{"a", "b", "ratio"}, {"delta"}}},
  };
  return kinds;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : claim_kinds()) names.push_back(name);
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The name under which a selection stands in the file.
const char* name_of(const Json& json, const char* name) {
  if (name == std::string_view("a")) return json.contains("better") ? "better" : "a";
  if (name == std::string_view("b")) return json.contains("worse") ? "worse" : "b";
  return name;
}

void check_keys(const Json& json, const ClaimSettings& claim, const std::string& place, ConfigErrors& errors) {
  const auto found = claim_kinds().find(claim.kind);
  if (found == claim_kinds().end()) return;  // the reader has said so
  const ClaimKind& kind = found->second;
  for (const std::string& key : kind.needed) {
    const char* name = name_of(json, key.c_str());
    errors.check(json.contains(name), join_path(place, name),
                 fmt::format("missing; a claim of the kind {} needs {}.", claim.kind, join(kind.needed, ", ")));
  }
  for (const char* key : {"b", "key", "under", "against", "ratio", "margin", "delta"}) {
    errors.check(!json.contains(key) || contains(kind.needed, key) || contains(kind.allowed, key),
                 join_path(place, key), fmt::format("a claim of the kind {} has no such key.", claim.kind));
  }
  errors.check(!json.contains("worse") || contains(kind.needed, "b"), join_path(place, "worse"),
               fmt::format("a claim of the kind {} has no such key.", claim.kind));
  for (const auto& [own, other] : {std::pair("a", "better"), std::pair("b", "worse")}) {
    errors.check(!json.contains(own) || !json.contains(other), join_path(place, other),
                 fmt::format("\"{}\" is another name of it and stands there too.", own));
  }
}

/// The claim that one requires, empty where it requires none or is not written as a claim is.
std::string required_by(const Json& claims, const std::string& id) {
  for (const Json& claim : claims) {
    if (!claim.is_object() || claim.value("id", Json()) != id) continue;
    const Json required = claim.value("requires", Json());
    return required.is_string() ? required.get<std::string>() : "";
  }
  return "";
}

bool requires_itself(const Json& claims, const ClaimSettings& claim) {
  std::string id = claim.required;
  for (std::size_t step = 0; step < claims.size() && !id.empty(); ++step) {
    if (id == claim.id) return true;
    id = required_by(claims, id);
  }
  return false;
}

void check_selections(const Json& json, const ClaimSettings& claim, const std::string& place, const ConfigPaths& paths,
                      ConfigErrors& errors) {
  for (const char* selection : {"a", "b", "under", "against"}) {
    const char* name = name_of(json, selection);
    if (!json.contains(name)) continue;
    check_conditions(read_entry(json[name], join_path(place, name), paths, errors), paths, errors);
  }
  if (!claim.key.empty()) paths.check(claim.key, join_path(place, "key"), errors);
}

}  // namespace

void ClaimSettings::visit(FieldVisitor& visitor) {
  const Json keys = {{"type", "object"}, {"minProperties", 1}};
  visitor.field({.key = "id", .help = "name of the claim in the report"}, id);
  visitor.field({.key = "says", .help = "the claim in words, for people"}, says);
  visitor.field(
      {.key = "kind",
       .help = "better: a over b by more than margin; equal: a and b within delta; grows_with: the metric of a "
               "grows with log2 of a key; ratio_of_parameters: a is not worse than b by more than delta, "
               "though b has at least ratio times its parameters; interaction: a gains more over b under one "
               "condition than against another",
       .choices = kind_names()},
      kind);
  visitor.field({.key = "metric", .help = "what is compared on the test sets", .choices = metrics_in_claims()}, metric);
  visitor.field({.key = "a", .help = "configuration keys of the runs that are spoken of", .schema = keys}, a);
  visitor.field({.key = "b", .help = "configuration keys of the runs that they are compared with", .schema = keys}, b);
  visitor.field({.key = "better", .help = "another name of a", .schema = keys}, better);
  visitor.field({.key = "worse", .help = "another name of b", .schema = keys}, worse);
  visitor.field({.key = "under", .help = "interaction: configuration keys of the first condition", .schema = keys},
                under);
  visitor.field({.key = "against", .help = "interaction: those of the second condition", .schema = keys}, against);
  visitor.field({.key = "key", .help = "grows_with: a configuration key with numbers"}, key);
  visitor.field({.key = "margin", .help = "difference that must be exceeded, in the metric's unit", .minimum = 0},
                margin);
  visitor.field(
      {.key = "delta",
       .help = "differences within it count as equal, in the metric's unit; null: 0.5 of BLEU and chrF, 0.02 of "
               "losses",
       .minimum = 0},
      delta);
  visitor.field({.key = "ratio", .help = "ratio_of_parameters: how many times a's parameters b has", .minimum = 0},
                ratio);
  visitor.field({.key = "level",
                 .help = "how often a verdict may be wrong where nothing differs, over all claims of the sweep",
                 .minimum = 0.005,
                 .maximum = 0.5},
                level);
  visitor.field({.key = "requires",
                 .help = "id of a claim that must be supported, a positive control; else this one is untestable"},
                required);
}

void check_claims(const Json& claims, const ConfigPaths& paths, ConfigErrors& errors) {
  if (!claims.is_array()) {
    errors.add("claims", fmt::format("found {}, expected a list of objects.", short_json(claims)));
    return;
  }
  std::set<std::string> ids;
  for (const Json& claim : claims) {
    if (claim.is_object() && claim.contains("id") && claim["id"].is_string()) ids.insert(claim["id"]);
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::string place = fmt::format("claims[{}]", i);
    ClaimSettings claim;
    read_settings(claim, claims[i], place, errors);
    if (!claims[i].is_object()) continue;
    for (const char* key : {"id", "metric"}) {
      errors.check(claims[i].contains(key), join_path(place, key), "missing; every claim needs id and metric.");
    }
    errors.check(claim.id.empty() || seen.insert(claim.id).second, join_path(place, "id"),
                 fmt::format("\"{}\" is the id of another claim too.", claim.id));
    errors.check(claim.required.empty() || ids.contains(claim.required), join_path(place, "requires"),
                 fmt::format("\"{}\" is the id of no claim.", claim.required));
    errors.check(!requires_itself(claims, claim), join_path(place, "requires"),
                 "the claim is its own positive control, by way of those that it requires.");
    check_keys(claims[i], claim, place, errors);
    check_selections(claims[i], claim, place, paths, errors);
  }
}

}  // namespace moe
