#include "harness/results/record.h"

#include "core/error.h"
#include "harness/results/record_fields.h"
#include "harness/sweep/run_spec.h"

#include <algorithm>

namespace moe {
namespace {

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
  return {.key = "status", .choices = {"finished", "failed", "imported"}};
}

struct StatusRecord {
  std::string status;
  void visit(RecordVisitor& visitor) { visitor.field(status_field(), status); }
};

/// The keys that a result of this status has beyond `always`.
Json own_parts(const char* status, const Json& always) {
  RunRecord record;
  record.status = status;
  Json parts = Json::array();
  const Json schema = record_schema(record);
  for (const Json& key : schema["required"]) {
    if (std::find(always.begin(), always.end(), key) == always.end()) parts.push_back(key);
  }
  return parts;
}

}  // namespace

void StrategyRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "router", .filled = true}, router);
  visitor.field({.key = "label", .help = "what charts and tables call it", .filled = true}, label);
  visitor.field({.key = "experts", .minimum = 1}, experts);
  visitor.field({.key = "revision",
                 .help = "of the router, raised when a fault in what it computes was mended; not written of the first",
                 .presence = Presence::if_any,
                 .minimum = 2},
                revision);
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

void SecondsRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "total", .presence = Presence::written, .minimum = 0}, total);
  visitor.field({.key = "training", .presence = Presence::written, .minimum = 0}, training);
  visitor.field({.key = "validation", .presence = Presence::written, .minimum = 0}, validation);
  visitor.field({.key = "test", .presence = Presence::written, .minimum = 0}, test);
}

void MeasurementRecord::visit(RecordVisitor& visitor) {
  const Presence measured = finished ? Presence::written : Presence::if_any;
  visitor.field({.key = "started", .help = "UTC, ISO 8601"}, started);
  visitor.field(
      {.key = "host",
       .help =
           "processor, cores, threads, device, and where there are any the GPU's name, ranks, and runs side by side"},
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

void ImportRecord::visit(RecordVisitor& visitor) {
  visitor.field(
      {.key = "source", .help = "as whoever imported them said", .presence = Presence::if_any, .filled = true}, source);
  visitor.field(
      {.key = "reference", .help = "digest of the lines that they are scored against", .pattern = digest_pattern},
      reference);
}

void RunRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "schema_version", .schema = {{"const", result_schema_version}}}, schema_version);
  visitor.field({.key = "run_id", .help = "name of the run's folder", .pattern = "^[A-Za-z0-9._-]+-[0-9a-f]{8}$"},
                run_id);
  visitor.field(status_field(), status);
  // Of a failed run only the parts that were reached, and of another program's translations their scores.
  const Presence part = finished() ? Presence::required : Presence::if_any;
  measurements.finished = finished();
  visitor.field({.key = "failure", .help = "why it failed, a sentence; null when it did not", .filled = true}, failure);
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
  visitor.field({.key = "imported_from",
                 .help = "of translations that another program made",
                 .presence = imported() ? Presence::required : Presence::if_any},
                imported_from);
  visitor.field({.key = "parameters", .presence = part}, parameters);
  visitor.field({.key = "flops", .presence = part}, flops);
  visitor.field({.key = "training", .presence = part}, training);
  visitor.field(
      {.key = "curve", .help = "one point a validation; numbers that are not finite are null", .presence = part},
      curve);
  visitor.field({.key = "scores",
                 .help = "of the test sets, after the last update",
                 .presence = imported() ? Presence::required : part},
                scores);
  visitor.field({.key = "routing", .help = "of the validation set, after the last update", .presence = part}, routing);
  visitor.field({.key = "routing_choices",
                 .help = "file beside result.json: the first choice of each token of the validation set in each MoE "
                         "layer, as far as it was kept",
                 .presence = Presence::if_any},
                routing_choices);
  visitor.field({.key = "routing_swaps",
                 .help = "with evaluation.routing_swaps: the validation loss of the scored model with other choices of "
                         "experts",
                 .presence = Presence::if_any},
                routing_swaps);
  visitor.field({.key = "inference",
                 .help = "with evaluation.inference_modes, of a router that draws its experts: the validation loss of "
                         "the scored model in each way to evaluate it",
                 .presence = Presence::if_any},
                inference);
  visitor.field({.key = "calibration",
                 .help = "the temperature that makes the scored model's loss on the validation set least",
                 .presence = Presence::if_any},
                calibration);
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
  if (!record.imported()) complete_older_config(record.config);
  // What an optional may lack, a result of its status has.
  if (record.failed()) document.at("failure").text();
  if (record.imported()) document.at("imported_from").object();
  if (record.finished()) {
    for (const char* part : {"parameters", "flops", "training"}) document.at(part).object();
  }
  return record;
}

bool says_finished(const Json& json, const std::string& file) {
  return read_record<StatusRecord>({json, file}).status == "finished";
}

Json result_schema() {
  const Json of_failed = record_schema(RunRecord{});
  const auto own = [&](const char* status) { return own_parts(status, of_failed["required"]); };
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "result.json of a run of moe-bench"}};
  schema.update(of_failed);
  schema["oneOf"] = {{{"properties", {{"status", {{"const", "finished"}}}, {"failure", {{"type", "null"}}}}},
                      {"required", own("finished")}},
                     {{"properties", {{"status", {{"const", "failed"}}}, {"failure", {{"type", "string"}}}}},
                      {"description", "only the parts that were reached"}},
                     {{"properties", {{"status", {{"const", "imported"}}}, {"failure", {{"type", "null"}}}}},
                      {"required", own("imported")},
                      {"description", "translations that another program made, scored here"}}};
  return schema;
}

}  // namespace moe
