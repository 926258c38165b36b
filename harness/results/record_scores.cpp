// The parts of the record that say how good a model is and how it routes.

#include "harness/results/record.h"
#include "harness/results/record_fields.h"

namespace moe {

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
  visitor.field(
      {.key = "calibrated_loss",
       .help = "nats per target token at the temperature that fits the validation set; it compares objectives "
               "that flatten the distribution with others",
       .presence = Presence::if_any},
      calibrated_loss);
  visitor.field({.key = "bleu"}, bleu);
  visitor.field({.key = "chrf"}, chrf);
  visitor.field({.key = "hypotheses", .help = "files beside result.json, one for each draw", .filled = true},
                hypotheses);
  visitor.field({.key = "sentence_scores",
                 .help = "files beside result.json, one for each draw: what each sentence adds to loss, BLEU and chrF",
                 .presence = Presence::if_any,
                 .filled = true},
                sentence_scores);
  visitor.field({.key = "cut_share",
                 .help = "share of the translations, over the draws, that reached the length limit and were cut",
                 .presence = Presence::if_any,
                 .minimum = 0,
                 .maximum = 1},
                cut_share);
}

const std::vector<TranslationScore>& translation_scores() {
  static const std::vector<TranslationScore> scores = {
      {"bleu", [](const ModelScores& model) { return &model.bleu; }},
      {"chrf", [](const ModelScores& model) { return &model.chrf; }},
  };
  return scores;
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
  visitor.field(share("fully_dropped", "share of the tokens that no expert took"), figures.fully_dropped);
  visitor.field(share("skipped", "second choices that their policy did not use, as a share of the tokens"),
                figures.skipped);
  visitor.field(share("confidence", "mean of the gate's largest probability; null without a gate"), figures.confidence);
  visitor.field({.key = "load_by_direction"}, load_by_direction);
  visitor.field(share("co_activation",
                      "shares of the tokens that each two experts had in common, each token counted once; on the "
                      "diagonal of those that one expert had more than once, in several rounds; null when there are "
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

void SwapRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "swap", .choices = {"shuffled", "second_best", "random"}}, swap);
  visitor.field({.key = "loss", .help = "unsmoothed nats per target token"}, loss);
  visitor.field({.key = "added", .help = "to the loss with the router's own choices"}, added);
}

void InferenceModeRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "mode", .choices = {"token", "sentence", "position_shared", "mean", "merged", "fixed"}}, mode);
  visitor.field({.key = "loss", .help = "unsmoothed nats per target token, mean over the evaluations"}, loss);
  visitor.field(
      {.key = "deviation", .help = "standard deviation of the evaluations; null where there is one", .minimum = 0},
      deviation);
  visitor.field({.key = "evaluations", .help = "draws; of fixed, one with each expert", .minimum = 1}, evaluations);
}

void InferenceRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "modes"}, modes);
  visitor.field({.key = "expert_disagreement",
                 .help = "share of the target tokens for which two experts, each taking all tokens, name other pieces, "
                         "mean over pairs; null where there is one expert",
                 .minimum = 0,
                 .maximum = 1},
                expert_disagreement);
}

void CalibrationRecord::visit(RecordVisitor& visitor) {
  visitor.field({.key = "temperature", .minimum = 0}, temperature);
  visitor.field({.key = "valid_loss", .help = "at that temperature, unsmoothed nats per target token"}, valid_loss);
}

}  // namespace moe
