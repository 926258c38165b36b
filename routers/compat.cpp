// What is in a profile and why: docs/other-implementations.md. Where a project has several definitions, its defaults
// count.
#include "routers/compat.h"

#include <algorithm>

namespace moe {

// Values that are also the default are written out: the options of a router's name may differ (gshard-paper), and a
// table that is complete can be read beside a project's code.

/// fairseq/modules/moe/top1gate.py, deepspeed/moe/sharded_moe.py (top1gating: use_rts is on), mesh_tensorflow/
/// transformer/moe.py (switch gating), flaxformer/architectures/moe/routing.py, megablocks/layers/{router,moe}.py,
/// transformers 4 before its pull request 37123 (modeling_switch_transformers.py: slots and loss go by sentence; its
/// number of slots is the option `capacity`), tutel/impls/fast_dispatch.py (a single choice is not normalised).
const CompatProfiles& switch_profiles() {
  static const CompatProfiles profiles = {
      {"fairseq", {{"normalise", "none"}, {"balance", "fairseq"}, {"capacity_rule", "fairseq"}}},
      {"deepspeed",
       {{"normalise", "none"}, {"balance", "deepspeed"}, {"capacity_rule", "deepspeed"}, {"fill", "random"}}},
      {"mesh",
       {{"normalise", "none"}, {"balance", "mesh_switch"}, {"z_padding", "excluded"}, {"capacity_rule", "mesh"}}},
      {"flaxformer",
       {{"normalise", "none"},
        {"balance", "flaxformer"},
        {"z_padding", "zero_logits"},
        {"capacity_rule", "flaxformer"}}},
      {"megablocks",
       {{"normalise", "none"}, {"balance", "megablocks"}, {"z_padding", "included"}, {"capacity_rule", "megablocks"}}},
      {"hf_switch",
       {{"normalise", "none"},
        {"balance", "hf_switch"},
        {"z_padding", "included"},
        {"group", "sentence"},
        {"dropped", "input"}}},
      {"tutel",
       {{"normalise", "none"}, {"balance", "megablocks"}, {"balance_counts", "first"}, {"capacity_rule", "tutel"}}},
  };
  return profiles;
}

/// fairseq/modules/moe/top2gate.py, deepspeed/moe/sharded_moe.py (top2gating), mesh_tensorflow/transformer/moe.py
/// (top_2), transformers' modeling_nllb_moe.py (`second_weight: raw` is for its option to normalise before, which is
/// off), st_moe_pytorch/st_moe_pytorch.py.
const CompatProfiles& gshard_profiles() {
  static const CompatProfiles profiles = {
      {"fairseq",
       {{"normalise", "after"},
        {"balance", "fairseq"},
        {"capacity_rule", "fairseq"},
        {"second", "sampling"},
        {"second_probability", "raw"},
        {"second_at_evaluation", "trained"},
        {"masked_outputs", "vectors"}}},
      {"deepspeed",
       {{"normalise", "after"},
        {"balance", "deepspeed"},
        {"capacity_rule", "deepspeed"},
        {"second", "sampling"},
        {"second_at_evaluation", "trained"}}},
      {"mesh",
       {{"normalise", "before"},
        {"balance", "mesh_top_2"},
        {"z_padding", "excluded"},
        {"capacity_rule", "mesh"},
        {"second", "random"},
        {"second_probability", "threshold"},
        {"second_at_evaluation", "trained"}}},
      {"hf_nllb",
       {{"normalise", "after"},
        {"balance", "hf_nllb"},
        {"z_padding", "included"},
        {"capacity_rule", "fairseq"},
        {"second", "all"},
        {"second_probability", "raw"},
        {"second_at_evaluation", "trained"},
        {"masked_outputs", "elements"}}},
      {"st_moe",
       {{"normalise", "before"},
        {"balance", "st_moe"},
        {"capacity_rule", "mesh"},
        {"group", "sentence"},
        {"second", "random"},
        {"second_probability", "threshold"},
        {"second_at_evaluation", "trained"}}},
  };
  return profiles;
}

/// deepspeed/moe/sharded_moe.py (topkgating: drops by probability), flaxformer, megablocks, tutel as above (more than
/// one choice is normalised; padding is a token like others, and f counts first choices), vmoe/nn/routing.py (whose
/// losses are those of noisy_top_k).
const CompatProfiles& top_k_profiles() {
  static const CompatProfiles profiles = {
      {"deepspeed",
       {{"normalise", "after"}, {"balance", "deepspeed"}, {"capacity_rule", "deepspeed"}, {"fill", "per_expert_prob"}}},
      {"flaxformer",
       {{"normalise", "none"},
        {"balance", "flaxformer"},
        {"z_padding", "zero_logits"},
        {"capacity_rule", "flaxformer"}}},
      {"megablocks",
       {{"normalise", "none"}, {"balance", "megablocks"}, {"z_padding", "included"}, {"capacity_rule", "megablocks"}}},
      {"tutel",
       {{"normalise", "before"}, {"balance", "megablocks"}, {"balance_counts", "first"}, {"capacity_rule", "tutel"}}},
      {"vmoe", {{"normalise", "none"}, {"capacity_rule", "vmoe"}}},
  };
  return profiles;
}

void visit_compat(FieldVisitor& visitor, const CompatProfiles& profiles, std::string& compat) {
  std::vector<std::string> names = {no_profile};
  for (const CompatProfile& profile : profiles) names.push_back(profile.name);
  visitor.field({.key = "compat",
                 .help = "a project, as far as the other options describe it: stands for its rules, of which those "
                         "given beside it win. A run has these options and compat = none, as if they were written out, "
                         "so conditions on runs name the options",
                 .choices = names},
                compat);
}

Json expand_profile(Json given, const CompatProfiles& profiles) {
  if (!given.is_object()) return given;
  const Json compat = given.value("compat", Json());
  const auto profile =
      std::find_if(profiles.begin(), profiles.end(), [&](const auto& known) { return compat == known.name; });
  if (profile == profiles.end()) return given;
  given.erase("compat");
  for (const auto& [key, value] : profile->options) {
    if (!given.contains(key)) given[key] = value;
  }
  return given;
}

}  // namespace moe
