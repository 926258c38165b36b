#include "routers/compat.h"

#include "routers/registry.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// The options of the router, which must be right.
Json resolved_options(const std::string& router, const Json& given) {
  ConfigErrors errors;
  Json options = find_router(router).resolve(given, "strategy", errors);
  CHECK(errors.sentences() == std::vector<std::string>{});
  return options;
}

}  // namespace

TEST_CASE("a profile is what its options are when written out") {
  struct Case {
    const char *router, *profile, *options;
  };
  const std::vector<Case> cases = {
      {"switch", "fairseq", R"({"normalise": "none", "balance": "fairseq", "capacity_rule": "fairseq"})"},
      {"switch", "deepspeed",
       R"({"normalise": "none", "balance": "deepspeed", "capacity_rule": "deepspeed", "fill": "random"})"},
      {"switch", "mesh",
       R"({"normalise": "none", "balance": "mesh_switch", "z_padding": "excluded", "capacity_rule": "mesh"})"},
      {"switch", "flaxformer",
       R"({"normalise": "none", "balance": "flaxformer", "z_padding": "zero_logits", "capacity_rule": "flaxformer"})"},
      {"switch", "megablocks",
       R"({"normalise": "none", "balance": "megablocks", "z_padding": "included", "capacity_rule": "megablocks"})"},
      {"switch", "hf_switch",
       R"({"normalise": "none", "balance": "hf_switch", "z_padding": "included", "group": "sentence",
           "dropped": "input"})"},
      {"switch", "tutel",
       R"({"normalise": "none", "balance": "megablocks", "balance_counts": "first", "capacity_rule": "tutel"})"},
      {"gshard", "fairseq",
       R"({"normalise": "after", "balance": "fairseq", "capacity_rule": "fairseq", "second": "sampling",
           "second_probability": "raw", "second_at_evaluation": "trained", "masked_outputs": "vectors"})"},
      {"gshard", "deepspeed",
       R"({"normalise": "after", "balance": "deepspeed", "capacity_rule": "deepspeed", "second": "sampling",
           "second_at_evaluation": "trained"})"},
      {"gshard", "mesh",
       R"({"normalise": "before", "balance": "mesh_top_2", "z_padding": "excluded", "capacity_rule": "mesh",
           "second": "random", "second_probability": "threshold", "second_at_evaluation": "trained"})"},
      {"gshard", "hf_nllb",
       R"({"normalise": "after", "balance": "hf_nllb", "z_padding": "included", "capacity_rule": "fairseq",
           "second": "all", "second_probability": "raw", "second_at_evaluation": "trained",
           "masked_outputs": "elements"})"},
      {"gshard", "st_moe",
       R"({"normalise": "before", "balance": "st_moe", "capacity_rule": "mesh", "group": "sentence",
           "second": "random", "second_probability": "threshold", "second_at_evaluation": "trained"})"},
      {"top_k", "deepspeed",
       R"({"normalise": "after", "balance": "deepspeed", "capacity_rule": "deepspeed", "fill": "per_expert_prob"})"},
      {"top_k", "flaxformer",
       R"({"normalise": "none", "balance": "flaxformer", "z_padding": "zero_logits", "capacity_rule": "flaxformer"})"},
      {"top_k", "megablocks",
       R"({"normalise": "none", "balance": "megablocks", "z_padding": "included", "capacity_rule": "megablocks"})"},
      {"top_k", "tutel",
       R"({"normalise": "before", "balance": "megablocks", "balance_counts": "first", "capacity_rule": "tutel"})"},
      {"top_k", "vmoe", R"({"normalise": "none", "capacity_rule": "vmoe"})"}};
  for (const Case& each : cases) {
    CAPTURE(each.router, each.profile);
    const Json options = resolved_options(each.router, {{"compat", each.profile}});
    CHECK(options == resolved_options(each.router, parse_json(each.options, "test")));
    CHECK(options["compat"] == no_profile);
  }
  CHECK(cases.size() == switch_profiles().size() + gshard_profiles().size() + top_k_profiles().size());
}

TEST_CASE("every profile is allowed, for the routers with other defaults too") {
  const std::vector<std::pair<const char*, const CompatProfiles*>> routers = {
      {"switch", &switch_profiles()}, {"switch-paper", &switch_profiles()}, {"frozen", &switch_profiles()},
      {"gshard", &gshard_profiles()}, {"gshard-paper", &gshard_profiles()}, {"top_k", &top_k_profiles()}};
  for (const auto& [router, profiles] : routers) {
    for (const CompatProfile& profile : *profiles) {
      CAPTURE(router, profile.name);
      const Json options = resolved_options(router, {{"compat", profile.name}});
      for (const auto& [key, value] : profile.options) CHECK(options[key] == value);
    }
  }
  CHECK(resolved_options("gshard-paper", {{"compat", "mesh"}})["capacity_factor"] == 1.0);  // numbers are no profile's
}

TEST_CASE("an option that is given wins over the profile, whichever stands first") {
  for (const char* given : {R"({"compat": "fairseq", "second": "random", "capacity_factor": 1.5})",
                            R"({"capacity_factor": 1.5, "second": "random", "compat": "fairseq"})"}) {
    const Json options = resolved_options("gshard", parse_json(given, "test"));
    CHECK(options["second"] == "random");
    CHECK(options["capacity_factor"] == 1.5);
    CHECK(options["second_probability"] == "raw");
    CHECK(options["balance"] == "fairseq");
  }
  // Also where it is given with its default.
  CHECK(resolved_options("gshard", {{"compat", "fairseq"}, {"balance", "norm"}})["balance"] == "norm");
}

TEST_CASE("no profile changes nothing, and resolved options stay as they are") {
  CHECK(resolved_options("gshard", {{"compat", no_profile}}) == resolved_options("gshard", Json::object()));
  const Json options = resolved_options("gshard", {{"compat", "deepspeed"}});
  CHECK(resolved_options("gshard", options) == options);
}

TEST_CASE("a profile that the router does not have is an error that names those it has") {
  const auto errors_with = [](const Json& compat) {
    ConfigErrors errors;
    find_router("gshard").resolve({{"compat", compat}}, "strategy", errors);
    return errors.sentences();
  };
  CHECK(errors_with("fairsec") ==
        std::vector<std::string>{"strategy.compat: " + not_allowed_sentence("fairsec", {"none", "fairseq", "deepspeed",
                                                                                        "mesh", "hf_nllb", "st_moe"})});
  CHECK(errors_with("hf_switch").size() == 1);
  CHECK(errors_with(3) == std::vector<std::string>{"strategy.compat: found 3, expected a string."});
}

}  // namespace moe
