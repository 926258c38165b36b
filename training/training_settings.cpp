#include "training/training_settings.h"

#include <fmt/format.h>

namespace moe {

void ObjectiveSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "passes", .help = "forward passes over each batch", .minimum = 1, .maximum = 2}, passes);
  visitor.field(
      {.key = "consistency", .help = "weight of the symmetric KL divergence between the two passes", .minimum = 0},
      consistency);
  visitor.field(
      {.key = "label_smoothing", .help = "probability spread over the wrong ids", .minimum = 0, .maximum = 0.99},
      label_smoothing);
  visitor.field({.key = "balance_loss", .help = "weight of the load balancing loss", .minimum = 0}, balance_loss);
  visitor.field({.key = "balance_layers",
                 .help = "the load balancing loss of several layers: their mean; their sum (Mesh TensorFlow, fairseq's "
                         "recipes); or one loss over the layers of each stack, as if all their tokens passed one gate "
                         "(concatenated: transformers' Switch, where opposite imbalances cancel) or as if each layer's "
                         "experts were others (stacked_experts: transformers' NLLB-MoE), encoder's and decoder's added",
                 .choices = {"mean", "sum", "concatenated", "stacked_experts"}},
                balance_layers);
  visitor.field({.key = "z_loss", .help = "weight of the router z-loss", .minimum = 0}, z_loss);
}

void check_settings(const ObjectiveSettings& settings, const std::string& path, ConfigErrors& errors) {
  errors.check(settings.consistency == 0 || settings.passes == 2, join_path(path, "consistency"),
               "a consistency weight compares two passes, so `passes` must be 2.");
}

void TrainingSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "tokens_per_batch",
                 .help = "tokens of a micro-batch at most, padding included",
                 .minimum = 1,
                 .maximum = 1e8},
                tokens_per_batch);
  visitor.field({.key = "batch_side",
                 .help = "whose tokens those are: target (and sources up to twice as many), so that every target token "
                         "weighs the same; or longer, of either side, as fairseq's --max-tokens, with which "
                         "translations become shorter",
                 .choices = {"target", "longer"}},
                batch_side);
  visitor.field({.key = "accumulate", .help = "micro-batches per update", .minimum = 1, .maximum = 65536}, accumulate);
  visitor.field({.key = "updates", .help = "optimiser steps", .minimum = 0, .maximum = 1e9}, updates);
  visitor.field(
      {.key = "flops", .help = "stop after this many training FLOPs, if earlier", .minimum = 0, .above_minimum = true},
      flops);
  visitor.field({.key = "seconds",
                 .help = "stop after this much wall time, if earlier; such a run is not reproducible",
                 .minimum = 0,
                 .above_minimum = true},
                seconds);
  visitor.field({.key = "learning_rate",
                 .help = "peak rate, reached at the end of the warm-up",
                 .minimum = 0,
                 .above_minimum = true},
                learning_rate);
  visitor.field({.key = "warmup", .help = "updates of linear warm-up", .minimum = 1, .maximum = 1e9}, warmup);
  visitor.field({.key = "schedule",
                 .help = "learning rate after the warm-up: ~ 1 / sqrt(update), which never ends, or to 0 at the end of "
                         "the budget along a line or half a cosine",
                 .choices = {"inverse_sqrt", "linear", "cosine"}},
                schedule);
  visitor.field({.key = "adam_beta1", .help = "decay of Adam's first moment", .minimum = 0, .maximum = 0.9999},
                adam_beta1);
  visitor.field({.key = "adam_beta2", .help = "decay of Adam's second moment", .minimum = 0, .maximum = 0.99999},
                adam_beta2);
  visitor.field({.key = "adam_epsilon", .help = "Adam's epsilon", .minimum = 0, .above_minimum = true}, adam_epsilon);
  visitor.field({.key = "weight_decay", .help = "decoupled weight decay (AdamW)", .minimum = 0}, weight_decay);
  visitor.field({.key = "clip_norm",
                 .help = "largest gradient norm of the loss divided by the passes; 0: no clipping",
                 .minimum = 0},
                clip_norm);
  visitor.field({.key = "precision",
                 .help = "bf16: autocast, with router, losses and weights in fp32",
                 .choices = {"fp32", "bf16"}},
                precision);
  visitor.field({.key = "unused_expert_grad",
                 .help = "none: experts without a token in a step stand still; zero: Adam moves them on",
                 .choices = {"none", "zero"}},
                unused_expert_grad);
  visitor.field({.key = "seed", .help = "of initialisation, order of batches, dropout and routing", .minimum = 0},
                seed);
}

BatchLimit batch_limit(const TrainingSettings& settings) {
  return {settings.tokens_per_batch, settings.batch_side == "target" ? BatchSide::target : BatchSide::longer};
}

void check_settings(const TrainingSettings& settings, const std::string& path, ConfigErrors& errors) {
  const bool ends = settings.schedule != "inverse_sqrt";
  errors.check(!ends || settings.updates == 0 || settings.warmup < settings.updates, join_path(path, "warmup"),
               fmt::format("found {} of {} updates; the schedule \"{}\" falls to 0 after the warm-up and needs updates "
                           "for it.",
                           settings.warmup, settings.updates, settings.schedule));
}

}  // namespace moe
