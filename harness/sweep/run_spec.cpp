#include "harness/sweep/run_spec.h"

#include "core/error.h"
#include "core/text.h"
#include "data/load_corpus.h"
#include "harness/sweep/json_tools.h"
#include "routers/registry.h"

#include <algorithm>

namespace moe {
namespace {

constexpr std::size_t longest_label_slug = 48;
constexpr std::size_t longest_directions_slug = 24;

const RouterEntry* router_or_null(const std::string& name) {
  const auto& routers = all_routers();
  const auto found =
      std::find_if(routers.begin(), routers.end(), [&](const auto& entry) { return entry.name == name; });
  return found == routers.end() ? nullptr : &*found;
}

ObjectiveSettings default_objective(const RouterEntry& router) {
  ObjectiveSettings objective;
  ConfigErrors errors;
  read_settings(objective, router.objective, "objective", errors);
  errors.throw_if_any("router " + router.name);
  return objective;
}

Json default_options(const RouterEntry& router) {
  ConfigErrors errors;
  Json options = router.resolve(Json::object(), "strategy", errors);
  errors.throw_if_any("router " + router.name);
  return options;
}

bool has_option(const RouterEntry& router, const std::string& key) {
  const auto options = router.list_options();
  return std::any_of(options.begin(), options.end(),
                     [&](const FieldListing& option) { return is_at_or_below(option.path, key); });
}

/// The router that `strategy` names; after an error the nearest one, so that its options are checked all the same.
const RouterEntry* read_router(const Json& strategy, ConfigErrors& errors) {
  const Json name = strategy.value("router", Json(default_router));
  if (!name.is_string()) {
    errors.add("strategy.router", fmt::format("found {}, expected a string.", short_json(name)));
    return nullptr;
  }
  const RouterEntry* router = router_or_null(name.get<std::string>());
  if (router != nullptr) return router;
  errors.add("strategy.router", not_allowed_sentence(name.get<std::string>(), router_names()));
  const std::optional<std::string> meant = nearest(name.get<std::string>(), router_names());
  return meant ? router_or_null(*meant) : nullptr;
}

/// The options in `strategy` that `router` has. Those that only another router of the sweep has are dropped.
Json own_options(const Json& strategy, const RouterEntry* router, std::vector<std::string> sweep_routers,
                 ConfigErrors& errors) {
  if (router != nullptr) sweep_routers.push_back(router->name);
  const auto some_router_has = [&](const std::string& key) {
    return std::any_of(sweep_routers.begin(), sweep_routers.end(), [&](const std::string& name) {
      const RouterEntry* other = router_or_null(name);
      return other != nullptr && has_option(*other, key);
    });
  };
  Json options = Json::object();
  for (const auto& [key, value] : strategy.items()) {
    if (key == "router" || key == "objective") continue;
    if (router != nullptr && has_option(*router, key)) {
      options[key] = value;
    } else if (!some_router_has(key)) {
      const std::string path = join_path("strategy", key);
      ConfigPaths(sweep_routers).check(path, path, errors);
    }
  }
  return options;
}

/// One loss over several layers needs a loss that is made of f and P alone.
void check_balance_layers(const StrategySpec& spec, const RouterEntry& router, ConfigErrors& errors) {
  const std::string& rule = spec.objective.balance_layers;
  if (rule == "mean" || rule == "sum") return;
  const bool has_another_loss = spec.objective.balance_loss > 0 && !has_option(router, "balance");
  const bool has_second_loss = spec.options.value("second_place_loss", 0.0) > 0;
  errors.check(!has_another_loss && !has_second_loss, "strategy.objective.balance_layers",
               fmt::format("\"{}\" is for the load balancing loss E sum(f P) of one gate; {}.", rule,
                           has_second_loss ? "second_place_loss adds another" : router.name + " has another"));
}

void check_distinct_pair(const StrategySpec& spec, ConfigErrors& errors) {
  errors.check(!spec.options.value("distinct_pair", false) || spec.objective.passes == 2, "strategy.distinct_pair",
               "is about the second of two passes; objective.passes is 1.");
}

StrategySpec read_strategy(const Json& json, const std::vector<std::string>& sweep_routers, ConfigErrors& errors) {
  StrategySpec spec;
  if (!json.is_object()) {
    errors.add("strategy", fmt::format("found {}, expected an object.", short_json(json)));
    return spec;
  }
  const RouterEntry* router = read_router(json, errors);
  const Json options = own_options(json, router, sweep_routers, errors);
  if (router != nullptr) {
    spec.router = router->name;
    spec.options = router->resolve(options, "strategy", errors);
    spec.objective = default_objective(*router);
  }
  read_settings(spec.objective, json.value("objective", Json::object()), "strategy.objective", errors);
  check_settings(spec.objective, "strategy.objective", errors);
  if (router != nullptr) check_balance_layers(spec, *router, errors);
  check_distinct_pair(spec, errors);
  return spec;
}

ModelSettings read_model(const Json& json, ConfigErrors& errors) {
  ModelSettings settings;
  const Json preset = json.is_object() ? json.value("preset", Json()) : Json();
  const std::vector<std::string> presets = model_presets();
  if (preset.is_string() && std::count(presets.begin(), presets.end(), preset.get<std::string>()) > 0) {
    settings.apply_preset(preset.get<std::string>());
  }
  read_settings(settings, json, "model", errors);
  check_settings(settings, "model", errors);
  return settings;
}

template <class Settings>
Settings read_section(const Json& json, const std::string& path, ConfigErrors& errors) {
  Settings settings;
  read_settings(settings, json, path, errors);
  return settings;
}

std::string short_value(const Json& value) {
  if (value.is_null()) return "none";
  if (value.is_boolean()) return value.get<bool>() ? "on" : "off";
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::string StrategySpec::label() const {
  const RouterEntry& entry = find_router(router);
  std::vector<std::string> parts;
  const Json own_options = differing_keys(options, default_options(entry));
  for (const auto& [key, value] : own_options.items()) {
    if (key != "experts") parts.push_back(key + " " + short_value(value));
  }
  const Json own_objective = differing_keys(write_settings(objective), write_settings(default_objective(entry)));
  for (const auto& [key, value] : own_objective.items()) {
    const bool passes = key == "passes";
    parts.push_back(passes ? fmt::format("{} pass{}", objective.passes, objective.passes == 1 ? "" : "es")
                           : key + " " + short_value(value));
  }
  return parts.empty() ? router : fmt::format("{} ({})", router, join(parts, ", "));
}

RunSpec read_run_spec(const Json& json, const std::vector<std::string>& sweep_routers, ConfigErrors& errors) {
  RunSpec spec;
  if (!json.is_object()) {
    errors.add("", fmt::format("found {}, expected an object.", short_json(json)));
    return spec;
  }
  for (const auto& [key, value] : json.items()) {
    const bool known = std::count(section_names().begin(), section_names().end(), key) > 0;
    errors.check(known, key, unknown_key_sentence(key, section_names()));
  }
  const auto section = [&](const char* name) { return json.value(name, Json::object()); };
  spec.data = read_section<DataSettings>(section("data"), "data", errors);
  check_settings(spec.data, "data", errors);
  spec.model = read_model(section("model"), errors);
  spec.strategy = read_strategy(section("strategy"), sweep_routers, errors);
  const RouterEntry* router = router_or_null(spec.strategy.router);
  errors.check(
      router == nullptr || !router->needs_labels || spec.data.is_world(), "strategy.router",
      fmt::format("\"{}\" reads labels, which only known-answer worlds have (data.world).", spec.strategy.router));
  spec.training = read_section<TrainingSettings>(section("training"), "training", errors);
  check_settings(spec.training, "training", errors);
  spec.evaluation = read_section<EvaluationSettings>(section("evaluation"), "evaluation", errors);
  return spec;
}

void complete_older_config(Json& config) {
  if (!config.is_object()) return;
  Json& training = config["training"];
  if (!training.is_null() && !training.is_object()) return;
  if (!training.contains("batch_side")) training["batch_side"] = "longer";
  const auto evaluation = config.find("evaluation");
  if (evaluation == config.end() || !evaluation->is_object()) return;
  for (const char* measurement : {"routing_swaps", "inference_modes"}) {
    if (!evaluation->contains(measurement)) (*evaluation)[measurement] = false;
  }
}

Json write_run_spec(const RunSpec& spec) {
  Json strategy = {{"router", spec.strategy.router}};
  strategy.update(spec.strategy.options);
  strategy["objective"] = write_settings(spec.strategy.objective);
  return {{"data", write_settings(spec.data)},
          {"model", write_settings(spec.model)},
          {"strategy", std::move(strategy)},
          {"training", write_settings(spec.training)},
          {"evaluation", write_settings(spec.evaluation)}};
}

Json differing_keys(const RunSpec& spec) {
  RunSpec standard;
  const RouterEntry& router = find_router(spec.strategy.router);
  standard.strategy = {"", default_options(router), default_objective(router)};
  standard.model.preset = spec.model.preset;
  standard.training.batch_side = "longer";  // of all runs from before the key, which keep their names
  return differing_keys(write_run_spec(spec), write_run_spec(standard));
}

std::string run_digest(const RunSpec& spec, const std::string& text_digest) {
  Json keys = differing_keys(spec);
  erase_at(keys, "data.root");
  if (keys.contains("data") && keys["data"].empty()) keys.erase("data");
  // Keys in alphabetical order, so that moving a member of a struct renames nothing.
  nlohmann::json identity = {{"config", keys}, {"data", text_digest}, {"semantics", semantics_version}};
  if (const std::int64_t revision = find_router(spec.strategy.router).revision; revision > 1) {
    identity["revision"] = revision;
  }
  return hexadecimal(hash_bytes(identity.dump()));
}

std::string slug(const std::string& text) {
  std::string slug;
  for (const char c : text) {
    const bool keep =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    if (keep) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  slug = slug.substr(0, longest_label_slug);
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

std::string run_id(const RunSpec& spec, const std::string& data_digest) {
  const std::string hash = run_digest(spec, data_digest).substr(0, 8);

  std::string directions = slug(join(spec.data.directions, "+"));
  if (directions.size() > longest_directions_slug)
    directions = fmt::format("{}-directions", spec.data.directions.size());
  const std::string experts =
      spec.strategy.options.contains("experts") ? fmt::format("-e{}", spec.strategy.experts()) : "";
  return fmt::format("{}{}-{}-s{}-{}", slug(spec.strategy.label()), experts, directions, spec.training.seed, hash);
}

}  // namespace moe
