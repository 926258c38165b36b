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
}

}  // namespace moe
