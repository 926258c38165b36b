#include "data/data_settings.h"

namespace moe {

void SyntheticSettings::visit(FieldVisitor& visitor) {
  visitor.field(
      {.key = "seed", .help = "seed of languages and sentences; other seeds are other languages", .minimum = 0}, seed);
  visitor.field({.key = "train_sentences", .help = "training sentences per direction", .minimum = 1, .maximum = 1e6},
                train_sentences);
  visitor.field({.key = "valid_sentences", .help = "validation sentences per direction", .minimum = 1, .maximum = 1e5},
                valid_sentences);
  visitor.field({.key = "test_sentences", .help = "sentences per test set and direction", .minimum = 1, .maximum = 1e5},
                test_sentences);
  visitor.field({.key = "nouns", .help = "nouns of every language", .minimum = 2, .maximum = 500}, nouns);
  visitor.field({.key = "verbs", .help = "verbs of every language", .minimum = 1, .maximum = 500}, verbs);
  visitor.field({.key = "adjectives", .help = "adjectives of every language", .minimum = 1, .maximum = 500},
                adjectives);
  visitor.field({.key = "contexts",
                 .help = "contexts of the worlds senses and lexicon, words of hidden-task",
                 .minimum = 1,
                 .maximum = 1e5},
                contexts);
}

void DataSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "source", .help = "text files, or made-up languages", .choices = {"text", "synthetic"}},
                source);
  std::vector<std::string> worlds = {"grammar"};
  worlds.insert(worlds.end(), world_names.begin(), world_names.end());
  visitor.field({.key = "world",
                 .help = "of synthetic data: languages with a grammar, or a world in which the right ordering of "
                         "strategies is known",
                 .choices = worlds},
                world);
  visitor.field({.key = "root", .help = "folder of the files SPLIT.LANG, relative to the working directory"}, root);
  visitor.field(
      {.key = "directions",
       .help = "translation directions, SOURCE-TARGET: de-en, pt-BR-en, sr-Latn-sr-Cyrl; synthetic languages are two "
               "letters, family and member"},
      directions);
  visitor.field({.key = "train", .help = "SPLIT of the training files"}, train);
  visitor.field({.key = "valid", .help = "SPLIT of the validation files"}, valid);
  visitor.field({.key = "test", .help = "SPLITs of the test files, each scored by itself"}, test);
  visitor.field({.key = "train_share",
                 .help = "share of the training pairs of each direction that is kept, the same pairs in every run; a "
                         "smaller share is a part of a larger one",
                 .minimum = 0,
                 .maximum = 1,
                 .above_minimum = true},
                train_share);
  visitor.field({.key = "vocabulary",
                 .help = "BPE pieces, shared by all languages; special pieces are counted; worlds have whole words",
                 .minimum = 32,
                 .maximum = 1e6},
                vocabulary);
  visitor.field(
      {.key = "sampling_temperature",
       .help = "T: a training sentence comes from a direction with probability ~ size^(1/T); 1 is as they are",
       .minimum = 0,
       .above_minimum = true},
      sampling_temperature);
  visitor.field({.key = "max_length",
                 .help = "training pairs with more subwords on a side are left out; 0 keeps all",
                 .minimum = 0},
                max_length);
  visitor.section({.key = "synthetic", .help = "sizes of the made-up languages"}, synthetic);
}

}  // namespace moe
