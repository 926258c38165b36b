#pragma once
// The typed record of result.json: every key that a run writes and that tables, charts and commands read.
//
// A new figure is a member here and its line in record.cpp or record_scores.cpp. schemas/result.schema.json is what
// result_schema() makes.

#include "harness/results/record_visitor.h"
#include "metrics/routing.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// The version of result.json that this program reads and writes.
inline constexpr std::int64_t result_schema_version = 1;

struct StrategyRecord {
  std::string router;
  std::string label;  ///< what charts and tables call it
  std::int64_t experts = 1;
  std::optional<std::int64_t> revision = {};  ///< of the router (RouterEntry), beyond the first

  void visit(RecordVisitor& visitor);
};

struct ParameterRecord {
  std::int64_t total = 0;
  std::int64_t active = 0;

  void visit(RecordVisitor& visitor);
};

struct FlopsRecord {
  double training = 0;
  std::optional<double> per_target_token;  ///< none without an update

  void visit(RecordVisitor& visitor);
};

/// The mean of weights that the test sets are scored with, on the validation set.
struct ScoredModelRecord {
  std::int64_t weights = 0;
  std::optional<double> valid_loss;
  std::optional<double> valid_bleu;
  std::optional<double> lag;

  void visit(RecordVisitor& visitor);
};

struct TrainingRecord {
  std::int64_t updates = 0;
  std::optional<double> epochs;
  std::optional<std::int64_t> target_tokens;
  std::string stopped_by;
  bool undertrained = false;
  std::optional<double> last_fifth_improvement;
  std::optional<ScoredModelRecord> scored_model;  ///< none where the last weights are scored

  void visit(RecordVisitor& visitor);
};

/// Scores of one direction on the validation set.
struct DirectionScores {
  std::string direction;
  std::optional<double> loss;
  std::optional<double> bleu;

  void visit(RecordVisitor& visitor);
};

/// One validation. What was not finite is none.
struct CurvePoint {
  std::int64_t update = 0;
  std::optional<double> flops;
  std::optional<double> cross_entropy;
  std::optional<double> consistency;
  std::optional<double> balance_loss;
  std::optional<double> learning_rate;
  std::optional<double> valid_loss;
  std::vector<std::optional<double>> valid_loss_draws;
  std::optional<double> valid_perplexity;
  std::optional<double> valid_bleu;
  std::vector<std::optional<double>> valid_bleu_draws;
  std::vector<DirectionScores> valid_by_direction;

  void visit(RecordVisitor& visitor);
};

/// BLEU or chrF over the draws of the evaluation.
struct MetricScore {
  double score = 0;
  double standard_deviation = 0;
  std::vector<double> draws;
  std::string signature;

  void visit(RecordVisitor& visitor);
};

/// One model on one test set in one direction.
struct ModelScores {
  std::optional<double> loss;  ///< nats per token, unsmoothed
  std::optional<double> perplexity;
  std::optional<double> calibrated_loss;  ///< at CalibrationRecord::temperature
  MetricScore bleu;
  MetricScore chrf;
  std::vector<std::string> hypotheses;
  std::vector<std::string> sentence_scores;  ///< files beside result.json, one for each draw (sentence_scores.h)
  std::optional<double> cut_share;

  void visit(RecordVisitor& visitor);
};

/// Where a score of translations stands, by the name of its metric in metrics/table.h.
struct TranslationScore {
  std::string metric;
  const MetricScore* (*of)(const ModelScores& scores);  ///< null where the results have none
};

const std::vector<TranslationScore>& translation_scores();

struct TestScore : ModelScores {
  std::string set;
  std::string direction;
  std::int64_t sentences = 0;
  std::optional<double> word_accuracy;
  std::optional<ModelScores> last_model;  ///< of the last weights, where the others are of a mean of weights

  // The keys of the base stand among its own. NOLINTNEXTLINE(bugprone-derived-method-shadowing-base-method)
  void visit(RecordVisitor& visitor);
};

struct DirectionLoad {
  std::string direction;
  std::vector<double> load;

  void visit(RecordVisitor& visitor);
};

/// How one MoE layer used its experts on the validation set.
struct LayerRouting {
  std::int64_t layer = 0;
  std::string stack;       ///< "encoder" or "decoder"
  std::int64_t block = 0;  ///< zero-based, as in `model.moe_layers`
  bool extra = false;
  RoutingFigures figures;  ///< all but direction_load, which stands below with its names
  std::vector<DirectionLoad> load_by_direction;

  void visit(RecordVisitor& visitor);
};

/// The scored model with other choices of experts in all its MoE layers, on the validation set.
struct SwapRecord {
  std::string swap;             ///< "shuffled", "second_best" or "random" (routers/routing_swap.h)
  std::optional<double> loss;   ///< nats per token
  std::optional<double> added;  ///< to the loss with its own choices

  void visit(RecordVisitor& visitor);
};

/// One way to evaluate a router that draws its experts, on the validation set.
struct InferenceModeRecord {
  std::string mode;                 ///< "token", "sentence", "position_shared", "mean", "merged" or "fixed"
  std::optional<double> loss;       ///< nats per token, mean over the evaluations
  std::optional<double> deviation;  ///< of the evaluations; none: there is one
  std::int64_t evaluations = 1;     ///< draws; of `fixed`, experts

  void visit(RecordVisitor& visitor);
};

/// The scored model in each way to evaluate it.
struct InferenceRecord {
  std::vector<InferenceModeRecord> modes;
  /// Share of target tokens for which two experts, each taking all tokens, name other pieces: the mean over pairs of
  /// experts. None: there is one expert.
  std::optional<double> expert_disagreement;

  void visit(RecordVisitor& visitor);
};

/// The temperature that makes the scored model's loss on the validation set least. It makes losses of objectives that
/// flatten the distribution comparable.
struct CalibrationRecord {
  double temperature = 1;
  std::optional<double> valid_loss;  ///< at that temperature, nats per token

  void visit(RecordVisitor& visitor);
};

/// Wall time.
struct SecondsRecord {
  double total = 0;
  double training = 0;
  double validation = 0;
  double test = 0;

  void visit(RecordVisitor& visitor);
};

/// All that depends on the machine and the moment.
struct MeasurementRecord {
  bool finished = true;  ///< no key: a failed run has started, host and software alone
  std::string started;
  Json host = Json::object();
  Json software = Json::object();
  std::optional<SecondsRecord> seconds;
  std::vector<double> curve_seconds;  ///< of training, at each point of the curve
  std::optional<double> target_tokens_per_second;
  std::optional<double> decoded_sentences_per_second;
  std::optional<std::int64_t> peak_memory_bytes;
  std::optional<std::int64_t> peak_device_memory_bytes;
  std::map<std::string, double> profile;
  std::string digest;

  void visit(RecordVisitor& visitor);
};

/// Where the translations of another program come from.
struct ImportRecord {
  std::string source;     ///< as whoever imported them said; empty: nothing was said
  std::string reference;  ///< digest of the lines that they are scored against

  void visit(RecordVisitor& visitor);
};

/// A run, finished or failed, or the scores of translations that another program made. What a failed run did not reach
/// is empty, and so is all that another program's training would have to tell.
struct RunRecord {
  std::int64_t schema_version = result_schema_version;
  std::string run_id;
  std::string status = "failed";
  std::optional<std::string> failure;
  StrategyRecord strategy;
  std::int64_t seed = 0;
  Json config = Json::object();
  std::int64_t semantics_version = 1;
  std::string data_digest;
  std::map<std::string, std::string> files;
  std::optional<ImportRecord> imported_from;
  std::optional<ParameterRecord> parameters;
  std::optional<FlopsRecord> flops;
  std::optional<TrainingRecord> training;
  std::vector<CurvePoint> curve;
  std::vector<TestScore> scores;
  std::vector<LayerRouting> routing;
  std::string routing_choices;  ///< file beside result.json (routing_choices.h); empty: nothing to choose
  std::vector<SwapRecord> routing_swaps;
  std::optional<InferenceRecord> inference;
  std::optional<CalibrationRecord> calibration;
  MeasurementRecord measurements;
  std::string digest;  ///< result_file.h makes both digests

  bool finished() const { return status == "finished"; }
  bool failed() const { return status == "failed"; }
  bool imported() const { return status == "imported"; }
  void visit(RecordVisitor& visitor);
};

/// Reads the record of a document that stands in `file`. Throws (request_wrong) for another schema_version too.
RunRecord read_run_record(const Json& json, const std::string& file);

/// True when the document says that its run finished, whatever else it holds.
bool says_finished(const Json& json, const std::string& file);

/// JSON Schema (2020-12) of result.json.
Json result_schema();

}  // namespace moe
