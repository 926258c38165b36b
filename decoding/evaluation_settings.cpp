#include "decoding/evaluation_settings.h"

namespace moe {

void EvaluationSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "every", .help = "updates between validations", .minimum = 1, .maximum = 1e9}, every);
  visitor.field({.key = "beam", .help = "beam width on the test sets; 1 is greedy", .minimum = 1, .maximum = 64}, beam);
  visitor.field({.key = "valid_beam", .help = "beam width on the validation set", .minimum = 1, .maximum = 64},
                valid_beam);
  visitor.field({.key = "length_penalty",
                 .help = "a: hypotheses are ranked by log-probability / length^a",
                 .minimum = 0,
                 .maximum = 10},
                length_penalty);
  visitor.field(
      {.key = "max_length_ratio",
       .help = "a translation is cut at this many times the pieces of its source and max_length_constant more",
       .minimum = 0,
       .maximum = 100},
      max_length_ratio);
  visitor.field({.key = "max_length_constant",
                 .help = "pieces of the longest translation beyond that, its end counted; one piece is always allowed",
                 .minimum = 0,
                 .maximum = 10000},
                max_length_constant);
  visitor.field(
      {.key = "average_share",
       .help = "the test sets are scored with the mean of the weights after each update of this last share of "
               "training, beside the last weights alone; 0: with the last weights alone",
       .minimum = 0,
       .maximum = 1},
      average_share);
  visitor.field({.key = "draws",
                 .help = "evaluations of a router whose evaluation is drawn at random",
                 .minimum = 1,
                 .maximum = 1000},
                draws);
  visitor.field(
      {.key = "routing_swaps",
       .help = "measure the validation loss of the trained model with other choices of experts: shuffled among "
               "tokens, the second best, random ones"},
      routing_swaps);
  visitor.field({.key = "inference_modes",
                 .help = "of a router that draws its experts: measure the validation loss of the trained model in each "
                         "way to evaluate it, and how far its experts disagree"},
                inference_modes);
}

}  // namespace moe
