#include "harness/commands/catalogue.h"

#include "core/error.h"
#include "harness/commands/interop/interop_input.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/run_spec.h"
#include "metrics/table.h"
#include "routers/registry.h"
#include "routers/router.h"

#include <algorithm>

namespace moe {
namespace {

/// The listings that `keep` names, each by itself or by its section.
std::vector<FieldListing> pick(const std::vector<FieldListing>& listings, const std::vector<std::string>& keep) {
  std::vector<FieldListing> picked;
  for (const FieldListing& listing : listings) {
    const auto is_kept = [&](const std::string& path) { return is_at_or_below(listing.path, path); };
    if (std::any_of(keep.begin(), keep.end(), is_kept)) picked.push_back(listing);
  }
  return picked;
}

/// All listings but those that `other` names, each by itself or by its section: a new key is listed without a line
/// here.
std::vector<FieldListing> leave_out(const std::vector<FieldListing>& listings, const std::vector<std::string>& other) {
  std::vector<FieldListing> left;
  for (const FieldListing& listing : listings) {
    const auto is_other = [&](const std::string& path) { return is_at_or_below(listing.path, path); };
    if (std::none_of(other.begin(), other.end(), is_other)) left.push_back(listing);
  }
  return left;
}

std::vector<std::string> tensors_of(const RouterEntry& router) {
  ConfigErrors errors;
  const auto built = router.make(router.resolve(Json::object(), "strategy", errors), {.width = 1, .token_counts = {1}});
  std::vector<std::string> names;
  for (const auto& tensor : built->named_parameters()) names.push_back(interop_name("router." + tensor.key()));
  for (const auto& tensor : built->named_buffers()) names.push_back(interop_name("router." + tensor.key()));
  return names;
}

std::vector<CatalogueItem> routers() {
  std::vector<CatalogueItem> items;
  for (const RouterEntry& router : all_routers()) {
    CatalogueItem item{router.name, router.summary, router.source, router.list_options(), tensors_of(router)};
    for (FieldListing option : list_fields(ObjectiveSettings{})) {
      if (!router.objective.contains(option.path)) continue;
      option.default_value = router.objective[option.path];
      option.path = "objective." + option.path;
      item.options.push_back(option);
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<CatalogueItem> objectives() {
  const std::vector<FieldListing> all = list_fields(ObjectiveSettings{});
  return {
      {"cross entropy", "of each pass over the batch, with smoothed labels",
       "Szegedy et al. 2016, Rethinking the Inception Architecture (arXiv 1512.00567)",
       leave_out(all, {"consistency", "balance_loss", "balance_layers", "z_loss"})},
      {"consistency", "two passes should predict the same",
       "Zuo et al. 2021 (arXiv 2110.04260); Liang et al. 2021, R-Drop (arXiv 2106.14448)", pick(all, {"consistency"})},
      {"balance", "a gate should use its experts evenly", "Fedus et al. 2021, Switch Transformers (arXiv 2101.03961)",
       pick(all, {"balance_loss", "balance_layers"})},
      {"z", "the logits of a gate should stay small", "Zoph et al. 2022, ST-MoE (arXiv 2202.08906)",
       pick(all, {"z_loss"})}};
}

std::vector<CatalogueItem> models() {
  std::vector<CatalogueItem> items;
  for (const std::string& name : model_presets()) {
    ModelSettings model;
    model.apply_preset(name);
    const bool of_paper = name == "base";
    items.push_back({name,
                     fmt::format("{} encoder and {} decoder blocks, width {}, feed-forward width {}, {} heads",
                                 model.encoder_layers, model.decoder_layers, model.width, model.ffn, model.heads),
                     of_paper ? "Vaswani et al. 2017, Attention Is All You Need (arXiv 1706.03762)" : "",
                     {}});
  }
  items.push_back({"keys of every model", "beside `preset`, or instead of it", "", list_fields(ModelSettings{})});
  return items;
}

std::vector<CatalogueItem> data_sources() {
  const std::vector<FieldListing> all = list_fields(DataSettings{});
  return {{"text", "line-aligned files SPLIT.LANG in one folder", "", pick(all, {"root", "train", "valid", "test"})},
          {"synthetic", "made-up languages, no files needed", "", pick(all, {"world", "synthetic", "test"})},
          {"keys of every source", "beside `source`", "",
           leave_out(all, {"source", "root", "train", "valid", "test", "world", "synthetic"})}};
}

std::vector<CatalogueItem> metrics() {
  std::vector<CatalogueItem> items;
  for (const MetricEntry& metric : all_metrics()) {
    items.push_back({metric.name, described(metric), metric.source, {}});
  }
  return items;
}

}  // namespace

const std::vector<std::string>& catalogue_names() {
  static const std::vector<std::string> names = {"routers", "objectives", "models", "data", "metrics"};
  return names;
}

std::vector<CatalogueItem> catalogue(const std::string& name) {
  if (name == "routers") return routers();
  if (name == "objectives") return objectives();
  if (name == "models") return models();
  if (name == "data") return data_sources();
  if (name == "metrics") return metrics();
  throw Error("list: " + not_allowed_sentence(name, catalogue_names()));
}

}  // namespace moe
