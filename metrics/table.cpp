#include "metrics/table.h"

#include "core/error.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

#include <algorithm>

namespace moe {
namespace {

std::vector<std::string> names_where(bool MetricEntry::* allowed) {
  std::vector<std::string> names;
  for (const MetricEntry& metric : all_metrics()) {
    if (metric.*allowed) names.push_back(metric.name);
  }
  return names;
}

std::vector<MetricEntry> scores() {
  return {{.name = "bleu",
           .title = "BLEU",
           .summary = "BLEU on a test set",
           .range = "0 to 100",
           .better = Better::higher,
           .source = "Papineni et al. 2002, as sacreBLEU computes it",
           .signature = bleu_signature({}, 1),
           .equal_within = 0.5,
           .in_claims = true,
           .in_tuning = true},
          {.name = "chrf",
           .title = "chrF",
           .summary = "chrF2 on a test set",
           .range = "0 to 100",
           .better = Better::higher,
           .source = "Popović 2015, as sacreBLEU computes it",
           .signature = chrf_signature({}, 1),
           .equal_within = 0.5,
           .in_claims = true},
          {.name = "loss",
           .title = "loss",
           .summary = "cross entropy of the target without smoothing",
           .unit = "nats per token",
           .better = Better::lower,
           .equal_within = 0.02,
           .in_claims = true,
           .in_tuning = true},
          {.name = "calibrated_loss",
           .title = "calibrated loss",
           .summary = "loss at the temperature that fits the validation set",
           .unit = "nats per token",
           .better = Better::lower,
           .note = "compares objectives that flatten the distribution with others",
           .source = "temperature scaling, Guo et al. 2017",
           .equal_within = 0.02,
           .in_claims = true},
          {.name = "perplexity", .title = "perplexity", .summary = "exp(loss)", .better = Better::lower},
          {.name = "word_accuracy",
           .title = "word accuracy",
           .summary = "share of the reference's words that stand at their place, in known-answer worlds",
           .better = Better::higher},
          {.name = "cut_share",
           .title = "cut share",
           .summary = "share of the translations that reached the length limit and were cut",
           .better = Better::lower}};
}

std::vector<MetricEntry> routing() {
  return {{.name = "load",
           .title = "load",
           .summary = "share of the kept choices that each expert has, also per direction",
           .note = "of each MoE layer on the validation set"},
          {.name = "coefficient_of_variation",
           .title = "coefficient of variation",
           .summary = "standard deviation of the load over its mean",
           .note = "0 is even"},
          {.name = "maximum_over_mean",
           .title = "maximum over mean",
           .summary = "load of the busiest expert over the mean load",
           .note = "1 is even"},
          {.name = "entropy",
           .title = "entropy",
           .summary = "of the load",
           .unit = "nats",
           .note = "log of the number of experts is even"},
          {.name = "dead_experts", .title = "dead experts", .summary = "experts without a token"},
          {.name = "dropped", .title = "dropped", .summary = "share of the choices that found no slot"},
          {.name = "fully_dropped", .title = "fully dropped", .summary = "share of the tokens that no expert took"},
          {.name = "skipped",
           .title = "skipped",
           .summary = "second choices that their policy did not use, as a share of the tokens"},
          {.name = "confidence", .title = "confidence", .summary = "mean of the largest probability of a gate"},
          {.name = "co_activation",
           .title = "co-activation",
           .summary = "share of the tokens that each two experts had in common, for routers of several choices"},
          {.name = "flip_rate",
           .title = "flip rate",
           .summary = "share of the tokens whose first choice changed since the last validation"},
          {.name = "saturation",
           .title = "saturation",
           .summary = "for each earlier validation, the share of the tokens that had already made the last choice"}};
}

std::vector<MetricEntry> joined(std::vector<MetricEntry> metrics, const std::vector<MetricEntry>& more) {
  metrics.insert(metrics.end(), more.begin(), more.end());
  return metrics;
}

}  // namespace

const std::vector<MetricEntry>& all_metrics() {
  static const std::vector<MetricEntry> metrics = joined(scores(), routing());
  return metrics;
}

const MetricEntry& find_metric(const std::string& name) {
  const auto& metrics = all_metrics();
  const auto found = std::find_if(metrics.begin(), metrics.end(), [&](const auto& m) { return m.name == name; });
  MOE_CHECK(found != metrics.end(), "There is no metric \"{}\".", name);
  return *found;
}

std::vector<std::string> metrics_in_claims() {
  return names_where(&MetricEntry::in_claims);
}

std::vector<std::string> metrics_in_tuning() {
  return names_where(&MetricEntry::in_tuning);
}

std::string axis_title(const MetricEntry& metric) {
  return metric.unit.empty() ? metric.title : fmt::format("{} ({})", metric.title, metric.unit);
}

std::string described(const MetricEntry& metric) {
  std::string text = metric.summary;
  for (const std::string& part : {metric.range, metric.unit}) text += part.empty() ? "" : ", " + part;
  if (metric.better != Better::neither)
    text += metric.better == Better::higher ? "; higher is better" : "; lower is better";
  return metric.note.empty() ? text : text + "; " + metric.note;
}

}  // namespace moe
