#pragma once
// The models and batches that whole training steps and translation are measured on.

#include "training/trainer.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// A dense Transformer with 8,000 subwords, and batches of random sentences of one length.
struct TrainingCase {
  std::string name;
  std::string precision = "fp32";
  std::int64_t width = 256, ffn = 1024, heads = 4, layers = 4, vocabulary = 8000;
  std::int64_t sentences = 128, length = 32;  ///< of a batch; source and target alike
  double dropout = 0.1;
  std::int64_t passes = 1;  ///< forward passes of an update, as THOR's two

  std::int64_t tokens() const { return sentences * length; }
};

/// `small` with 4,096 target tokens a batch and `tiny` with 2,048, each in fp32 and bf16, with one pass.
std::vector<TrainingCase> training_cases();

/// `count` random sentence pairs.
EncodedSet random_sentences(const TrainingCase& setting, std::int64_t count);

std::shared_ptr<Transformer> make_model(const TrainingCase& setting, const EncodedSet& set);

/// A model in training, as a run makes it.
struct TrainingRun {
  explicit TrainingRun(const TrainingCase& setting, torch::Device device = torch::kCPU);

  EncodedSet train;
  TrainingSettings training;
  ObjectiveSettings objective;
  std::shared_ptr<Transformer> model;  ///< on the device
  Trainer trainer;
};

/// A product of [rows, depth] and [depth, columns].
struct ProductShape {
  std::int64_t rows, depth, columns;
};

/// The matrix products of one forward computation of all passes, those inside attention left out.
std::vector<ProductShape> products_of(const TrainingCase& setting);

/// Writes FILE-NAME.safetensors for each model in fp32 and without dropout: its first weights, its first 200 batches
/// and the loss (label-smoothed, per target token) of each of these updates.
void dump_training_cases(const std::string& file);

}  // namespace moe
