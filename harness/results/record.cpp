#include "harness/results/record.h"

#include "core/error.h"

#include <algorithm>

namespace moe {
namespace {

constexpr const char* direction_pattern =
    "^([A-Za-z0-9_]+|[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?)-([A-Za-z0-9_]+|[a-z]{2,3}(-[A-Z][a-z]{3})?(-(["
    "A-Z]{2}|[0-9]{3}))?)$";
constexpr const char* digest_pattern = "^[0-9a-f]{16}$";
constexpr double perfect =
    100.000000001;  // the BLEU of a perfect translation is 100.00000000000004, as sacreBLEU has it

RecordField direction_field() {
  return {.key = "direction", .pattern = direction_pattern};
}

Json config_schema() {
  Json schema = {{"type", "object"}, {"additionalProperties", false}};
  for (const char* section : {"data", "model", "strategy", "training", "evaluation"}) {
    schema["required"].push_back(section);
    schema["properties"][section] = {{"type", "object"}};
  }
  return schema;
}

/// What tells the versions and ends of a run apart, of a document that may lack all else.
struct VersionRecord {
  std::int64_t schema_version = 0;
  void visit(RecordVisitor& visitor) { visitor.field({.key = "schema_version"}, schema_version); }
};

RecordField status_field() {
  return {.key = "status", .choices = {"finished", "failed"}};
}

struct StatusRecord {
  std::string status;
  void visit(RecordVisitor& visitor) { visitor.field(status_field(), status); }
};

}  // namespace

void StrategyRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "router", .filled = true}, router);
  visitor.field({.key = "label", .help = "what charts and tables call it", .filled = true}, label);
  visitor.field({.key = "experts", .minimum = 1}, experts);
}

void ParameterRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "total", .minimum = 1}, total);
  visitor.field({.key = "active", .help = "those that one token passes through", .minimum = 1}, active);
}

void FlopsRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "training", .help = "of the whole run", .minimum = 0}, training);
  visitor.field({.key = "per_target_token",
                 .help = "of training, forward and backward; null without an update",
                 .presence = Presence::written,
                 .minimum = 0},
                per_target_token);
}

void ScoredModelRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "weights", .help = "updates whose weights are averaged", .minimum = 1}, weights);
  visitor.field({.key = "valid_loss", .help = "unsmoothed nats per target token"}, valid_loss);
  visitor.field({.key = "valid_bleu", .minimum = 0, .maximum = perfect}, valid_bleu);
  visitor.field({.key = "lag", .help = "how far its loss is above that of the last weights, as a share of it"}, lag);
}

void TrainingRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "updates", .minimum = 0}, updates);
  visitor.field({.key = "epochs", .presence = Presence::written, .minimum = 0}, epochs);
  visitor.field({.key = "target_tokens", .presence = Presence::written, .minimum = 0}, target_tokens);
  visitor.field({.key = "stopped_by",
                 .help = "budget that ended the run",
                 .presence = Presence::written,
                 .choices = {"updates", "flops", "seconds"}},
                stopped_by);
  visitor.field({.key = "undertrained",
                 .help = "the validation loss still fell by more than 0.5 % over the last fifth, or the scored mean of "
                         "weights lags behind the last weights by more than 0.5 %"},
                undertrained);
  visitor.field({.key = "last_fifth_improvement",
                 .help = "relative fall of the validation loss over the last fifth of the updates",
                 .presence = Presence::written},
                last_fifth_improvement);
  visitor.field({.key = "scored_model",
                 .help = "the mean of weights that the test sets are scored with, on the validation set; null when the "
                         "last weights are scored",
                 .presence = Presence::written},
                scored_model);
}

void DirectionScores::visit(RecordVisitor& visitor) {
  visitor.field(direction_field(), direction);
  visitor.field({.key = "loss"}, loss);
  visitor.field({.key = "bleu"}, bleu);
}

void CurvePoint::visit(RecordVisitor& visitor) {
  visitor.field({.key = "update", .help = "optimiser steps done", .minimum = 0}, update);
  visitor.field({.key = "flops", .help = "training FLOPs spent", .minimum = 0}, flops);
  visitor.field({.key = "cross_entropy",
                 .help = "label-smoothed cross entropy in training: mean since the point before, per target token and "
                         "pass; null before the first step",
                 .presence = Presence::written},
                cross_entropy);
  visitor.field({.key = "consistency",
                 .help = "symmetric KL divergence of the two passes, unweighted, likewise; 0 with one pass",
                 .presence = Presence::written},
                consistency);
  visitor.field({.key = "balance_loss",
                 .help = "load balancing loss, unweighted, mean over layers, likewise; 0 without a gate",
                 .presence = Presence::written},
                balance_loss);
  visitor.field({.key = "learning_rate", .help = "of the last step; null before the first", .minimum = 0},
                learning_rate);
  visitor.field({.key = "valid_loss", .help = "unsmoothed nats per target token, mean over the draws"}, valid_loss);
  visitor.field({.key = "valid_loss_draws", .help = "of each draw", .presence = Presence::written}, valid_loss_draws);
  visitor.field({.key = "valid_perplexity", .help = "exp(valid_loss)"}, valid_perplexity);
  visitor.field({.key = "valid_bleu", .help = "mean over the draws"}, valid_bleu);
  visitor.field({.key = "valid_bleu_draws", .help = "of each draw", .presence = Presence::written}, valid_bleu_draws);
  visitor.field({.key = "valid_by_direction", .presence = Presence::written}, valid_by_direction);
}

void MetricScore::visit(RecordVisitor& visitor) {
  visitor.field({.key = "score", .help = "mean over the draws", .minimum = 0, .maximum = perfect}, score);
  visitor.field({.key = "standard_deviation", .help = "over the draws; 0 with one", .minimum = 0}, standard_deviation);
  visitor.field({.key = "draws",
                 .help = "score of each draw of the evaluation",
                 .minimum = 0,
                 .maximum = perfect,
                 .filled = true},
                draws);
  visitor.field({.key = "signature", .help = "as sacreBLEU prints it"}, signature);
}

void ModelScores::visit(RecordVisitor& visitor) {
  visitor.field({.key = "loss", .help = "unsmoothed nats per target token"}, loss);
  visitor.field({.key = "perplexity", .help = "exp(loss)"}, perplexity);
  visitor.field({.key = "bleu"}, bleu);
  visitor.field({.key = "chrf"}, chrf);
  visitor.field({.key = "hypotheses", .help = "files beside result.json, one for each draw", .filled = true},
                hypotheses);
  visitor.field({.key = "cut_share",
                 .help = "share of the translations, over the draws, that reached the length limit and were cut",
                 .presence = Presence::if_any,
                 .minimum = 0,
                 .maximum = 1},
                cut_share);
}

void TestScore::visit(RecordVisitor& visitor) {
  visitor.field({.key = "set", .help = "SPLIT of the files"}, set);
  visitor.field(direction_field(), direction);
  visitor.field({.key = "sentences", .minimum = 1}, sentences);
  ModelScores::visit(visitor);
  visitor.field({.key = "word_accuracy",
                 .help = "share of the reference's words that stand at their place, in known-answer worlds",
                 .presence = Presence::if_any,
                 .minimum = 0,
                 .maximum = 1},
                word_accuracy);
  visitor.field({.key = "last_model",
                 .help = "the same of the last weights alone, where the scores above are those of a mean of weights",
                 .presence = Presence::if_any},
                last_model);
}

void DirectionLoad::visit(RecordVisitor& visitor) {
  visitor.field(direction_field(), direction);
  visitor.field({.key = "load", .minimum = 0, .maximum = 1, .filled = true}, load);
}

void LayerRouting::visit(RecordVisitor& visitor) {
  const auto share = [](const char* key, const char* help, Presence presence = Presence::required) {
    return RecordField{.key = key, .help = help, .presence = presence, .minimum = 0, .maximum = 1};
  };
  visitor.field({.key = "layer", .help = "ordinal of the MoE layer, encoder first", .minimum = 0}, layer);
  visitor.field({.key = "stack", .choices = {"encoder", "decoder"}}, stack);
  visitor.field({.key = "block", .help = "index of the block in its stack", .minimum = 0}, block);
  visitor.field({.key = "extra",
                 .help = "the layer is one of its own, before the block",
                 .presence = Presence::if_any,
                 .schema = {{"const", true}}},
                extra);
  visitor.field({.key = "experts", .minimum = 1}, figures.experts);
  visitor.field({.key = "tokens", .help = "valid tokens seen", .minimum = 0}, figures.tokens);
  visitor.field({.key = "load",
                 .help = "share of the kept choices that each expert has",
                 .minimum = 0,
                 .maximum = 1,
                 .filled = true},
                figures.load);
  visitor.field({.key = "coefficient_of_variation", .help = "of the load", .minimum = 0},
                figures.coefficient_of_variation);
  visitor.field({.key = "maximum_over_mean", .help = "of the load", .minimum = 0}, figures.maximum_over_mean);
  visitor.field({.key = "entropy", .help = "of the load, nats", .minimum = 0}, figures.entropy);
  visitor.field({.key = "dead_experts", .help = "experts without a token", .minimum = 0}, figures.dead_experts);
  visitor.field(share("dropped", "share of the choices that found no slot"), figures.dropped);
  visitor.field(share("fully_dropped", "share of the tokens none of whose choices found a slot"),
                figures.fully_dropped);
  visitor.field(share("skipped", "share of the second choices that their policy did not use"), figures.skipped);
  visitor.field(share("confidence", "mean of the gate's largest probability; null without a gate"), figures.confidence);
  visitor.field({.key = "load_by_direction"}, load_by_direction);
  visitor.field(share("co_activation",
                      "shares of the tokens that each two experts had in common, each token counted once; on the "
                      "diagonal of those that one expert had more than once, in several passes; null when there are "
                      "none",
                      Presence::written),
                figures.co_activation);
  visitor.field(
      share("flip_rate", "share of the tokens whose first choice changed since the last validation; null at the first"),
      figures.flip_rate);
  visitor.field(
      share("saturation",
            "for each earlier validation, the share of the tokens that had already made the last one's choice",
            Presence::written),
      figures.saturation);
}

void SecondsRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "total", .presence = Presence::written, .minimum = 0}, total);
  visitor.field({.key = "training", .presence = Presence::written, .minimum = 0}, training);
  visitor.field({.key = "validation", .presence = Presence::written, .minimum = 0}, validation);
  visitor.field({.key = "test", .presence = Presence::written, .minimum = 0}, test);
}

void MeasurementRecord::visit(RecordVisitor& visitor) {
  const Presence measured = finished ? Presence::written : Presence::if_any;
  visitor.field({.key = "started", .help = "UTC, ISO 8601"}, started);
  visitor.field({.key = "host", .help = "processor, cores, threads, device, and the GPU's name where there is one"},
                host);
  visitor.field({.key = "software", .help = "versions of the program and of what it is built with"}, software);
  visitor.field({.key = "seconds", .help = "wall time of the whole and of its parts", .presence = Presence::if_any},
                seconds);
  visitor.field({.key = "curve_seconds",
                 .help = "training seconds at each point of the curve",
                 .presence = measured,
                 .minimum = 0},
                curve_seconds);
  visitor.field({.key = "target_tokens_per_second", .presence = measured, .minimum = 0}, target_tokens_per_second);
  visitor.field({.key = "decoded_sentences_per_second", .presence = measured, .minimum = 0},
                decoded_sentences_per_second);
  visitor.field({.key = "peak_memory_bytes", .presence = measured, .minimum = 0}, peak_memory_bytes);
  visitor.field({.key = "peak_device_memory_bytes",
                 .help = "most that the run's last process held of the GPU's memory; absent on the CPU",
                 .presence = Presence::if_any,
                 .minimum = 0},
                peak_device_memory_bytes);
  visitor.field({.key = "profile",
                 .help = "with --profile: seconds of the last process's training steps, by phase",
                 .presence = Presence::if_any},
                profile);
  visitor.field(
      {.key = "digest", .help = "of the measurements", .presence = Presence::if_any, .pattern = digest_pattern},
      digest);
}

void RunRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "schema_version", .schema = {{"const", result_schema_version}}}, schema_version);
  visitor.field({.key = "run_id", .help = "name of the run's folder", .pattern = "^[A-Za-z0-9._-]+-[0-9a-f]{8}$"},
                run_id);
  visitor.field(status_field(), status);
  // Of a failed run only the parts that were reached.
  const Presence part = finished() ? Presence::required : Presence::if_any;
  measurements.finished = finished();
  visitor.field({.key = "failure", .help = "why it failed, a sentence; null when it finished", .filled = true},
                failure);
  visitor.field({.key = "strategy"}, strategy);
  visitor.field({.key = "seed", .minimum = 0}, seed);
  visitor.field(
      {.key = "config", .help = "the resolved configuration, in the form of a sweep file", .schema = config_schema()},
      config);
  visitor.field({.key = "semantics_version", .help = "raised when a default or a formula changes", .minimum = 1},
                semantics_version);
  visitor.field({.key = "data_digest",
                 .help = "of all that the run reads from the data",
                 .presence = part,
                 .pattern = digest_pattern},
                data_digest);
  visitor.field({.key = "files",
                 .help = "digests of the files that options of the strategy name, by the option; missing where there "
                         "are none",
                 .presence = Presence::if_any,
                 .pattern = digest_pattern,
                 .filled = true},
                files);
  visitor.field({.key = "parameters", .presence = part}, parameters);
  visitor.field({.key = "flops", .presence = part}, flops);
  visitor.field({.key = "training", .presence = part}, training);
  visitor.field(
      {.key = "curve", .help = "one point a validation; numbers that are not finite are null", .presence = part},
      curve);
  visitor.field({.key = "scores", .help = "of the test sets, after the last update", .presence = part}, scores);
  visitor.field({.key = "routing", .help = "of the validation set, after the last update", .presence = part}, routing);
  visitor.field(
      {.key = "measurements", .help = "all that depends on the machine and the moment; the rest of the file does not"},
      measurements);
  visitor.field({.key = "digest",
                 .help = "of everything but the measurements: equal runs have equal digests, and a damaged or edited "
                         "file is noticed",
                 .presence = Presence::if_any,
                 .pattern = digest_pattern},
                digest);
}

RunRecord read_run_record(const Json& json, const std::string& file) {
  const RecordNode document(json, file);
  const std::int64_t version = read_record<VersionRecord>(document).schema_version;
  MOE_CHECK(version == result_schema_version, "{}: schema_version is {}; this program reads version {}.", file, version,
            result_schema_version);
  RunRecord record = read_record<RunRecord>(document);
  if (!record.finished()) {
    document.at("failure").text();
  } else {  // what an optional may lack, a finished run has
    for (const char* part : {"parameters", "flops", "training"}) document.at(part).object();
  }
  return record;
}

bool says_finished(const Json& json, const std::string& file) {
  return read_record<StatusRecord>({json, file}).status == "finished";
}

Json result_schema() {
  RunRecord finished, failed;
  finished.status = "finished";
  const Json of_finished = record_schema(finished);
  Json of_failed = record_schema(failed);
  Json parts = Json::array();
  for (const Json& key : of_finished["required"]) {
    const Json& always = of_failed["required"];
    if (std::find(always.begin(), always.end(), key) == always.end()) parts.push_back(key);
  }
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "result.json of a run of moe-bench"}};
  schema.update(of_failed);
  schema["oneOf"] = {
      {{"properties", {{"status", {{"const", "finished"}}}, {"failure", {{"type", "null"}}}}}, {"required", parts}},
      {{"properties", {{"status", {{"const", "failed"}}}, {"failure", {{"type", "string"}}}}},
       {"description", "only the parts that were reached"}}};
  return schema;
}

}  // namespace moe
