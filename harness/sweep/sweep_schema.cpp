// The JSON Schema of sweep files, made from what the readers use: the settings structs and the registry.

#include "harness/sweep/claim.h"
#include "harness/sweep/config_paths.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/sweep.h"
#include "harness/sweep/tune_settings.h"
#include "routers/registry.h"

#include <algorithm>

namespace moe {
namespace {

Json without_default(Json schema) {
  schema.erase("default");
  return schema;
}

/// Adds an option of one more router under its key: routers may differ in its default, its range and its meaning.
void add_option(Json& properties, const std::string& key, const Json& option) {
  if (!properties.contains(key)) {
    properties[key] = option;
    return;
  }
  Json& known = properties[key];
  Json forms = known.value("anyOf", Json::array({without_default(known)}));
  if (std::find(forms.begin(), forms.end(), without_default(option)) == forms.end()) {
    forms.push_back(without_default(option));
    known = {{"anyOf", forms}};
  } else if (known.value("default", Json()) != option["default"]) {
    known.erase("default");
  }
}

Json strategy_schema() {
  Json properties = {{"router",
                      {{"type", "string"},
                       {"enum", router_names()},
                       {"default", StrategySpec{}.router},
                       {"description", "who decides which experts see a token"}}}};
  for (const RouterEntry& router : all_routers()) {
    const Json options = router.options_schema();
    for (const auto& [key, option] : options["properties"].items()) add_option(properties, key, option);
  }
  properties["objective"] = schema_of(ObjectiveSettings{});
  properties["objective"]["description"] =
      "passes of a step and weights of its losses; some routers have other defaults";
  return {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
}

/// "#/$defs/strategy/properties/objective/properties/passes" for strategy.objective.passes.
Json reference(const std::string& path) {
  std::string pointer = "#/$defs/";
  for (const char c : path) pointer += c == '.' ? std::string("/properties/") : std::string(1, c);
  return {{"$ref", pointer}};
}

Json any_of(const Json& first, const Json& second) {
  return {{"anyOf", Json::array({first, second})}};
}

Json list_of(const Json& items) {
  return {{"type", "array"}, {"items", items}};
}

Json axis_schema(const std::string& path) {
  const Json item = path == "strategy.router" ? any_of(reference(path), reference("strategy")) : reference(path);
  Json axis = list_of(item);
  axis["minItems"] = 1;
  return axis;
}

/// An object whose keys are all paths, nested or dotted, each with the schema that `of_path` gives it.
template <class OfPath>
Json keyed_by_path(OfPath of_path) {
  Json properties = Json::object();
  for (const std::string& path : all_config_paths().sections()) properties[path] = of_path(path, true);
  for (const FieldListing& key : all_config_paths().keys()) properties[key.path] = of_path(key.path, false);
  return {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
}

Json conditions_schema() {
  Json schema = keyed_by_path([](const std::string& path, bool is_section) -> Json {
    if (is_section) return {{"type", "object"}};  // keys inside may have lists of values
    return any_of(reference(path), list_of(reference(path)));
  });
  schema["minProperties"] = 1;
  return schema;
}

Json claim_schema() {
  Json schema = schema_of(ClaimSettings{});
  for (const char* selection : {"a", "b", "better", "worse", "under", "against"}) {
    const Json description = schema["properties"][selection]["description"];
    schema["properties"][selection] = {{"$ref", "#/$defs/conditions"}, {"description", description}};
  }
  for (const char* key : {"id", "metric", "says", "key", "requires"}) schema["properties"][key].erase("default");
  schema["required"] = {"id", "metric"};
  schema["anyOf"] = {{{"required", {"a", "b"}}},
                     {{"required", {"better", "worse"}}},
                     {{"required", {"a", "key"}}, {"properties", {{"kind", {{"const", "grows_with"}}}}}}};
  return schema;
}

}  // namespace

Json sweep_schema() {
  Json definitions = {{"data", schema_of(DataSettings{})},
                      {"model", schema_of(ModelSettings{})},
                      {"strategy", strategy_schema()},
                      {"training", schema_of(TrainingSettings{})},
                      {"evaluation", schema_of(EvaluationSettings{})},
                      {"conditions", conditions_schema()}};
  Json overlay = keyed_by_path([](const std::string& path, bool /*is_section*/) { return reference(path); });
  overlay["minProperties"] = 1;

  Json properties = {{"$schema", {{"type", "string"}, {"description", "for editors; passed over"}}},
                     {"name",
                      {{"type", "string"},
                       {"pattern", "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"},
                       {"description", "folder of the results; by default the name of the file"}}}};
  for (const std::string& section : section_names()) properties[section] = reference(section);
  properties["grid"] = keyed_by_path([](const std::string& path, bool /*is_section*/) { return axis_schema(path); });
  properties["grid"]["description"] = "axes: every combination of their values is a run, the last axis varies fastest";
  properties["include"] = list_of(overlay);
  properties["include"]["description"] =
      "more runs: the base with the entry, crossed with the axes that it leaves free";
  properties["exclude"] = list_of({{"$ref", "#/$defs/conditions"}});
  properties["exclude"]["description"] = "a run goes if all keys of an entry match; a list means any of its values";
  properties["overrides"] = list_of({{"type", "object"},
                                     {"additionalProperties", false},
                                     {"required", {"where", "set"}},
                                     {"properties", {{"where", {{"$ref", "#/$defs/conditions"}}}, {"set", overlay}}}});
  properties["overrides"]["description"] = "settings for the runs that match, over those of base and axes";
  properties["parallel"] = schema_of(ParallelSettings{});
  properties["parallel"]["description"] = "how ranks that mpirun or srun started share a run; changes no result";
  properties["tune"] = schema_of(TuneSettings{});
  properties["tune"]["properties"]["grid"] = properties["grid"];
  properties["tune"]["properties"]["at"] = {{"anyOf", {{{"$ref", "#/$defs/conditions"}}, {{"maxProperties", 0}}}}};
  properties["tune"]["description"] = "what `moe-bench tune` tries for every strategy";
  properties["claims"] = list_of(claim_schema());
  properties["claims"]["description"] =
      "statements about strategies for the report to support, contradict or leave open";
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "Sweep file of moe-bench"},
          {"type", "object"},
          {"additionalProperties", false},
          {"properties", properties},
          {"$defs", definitions}};
}

}  // namespace moe
