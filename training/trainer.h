#pragma once
// One run's training: the data order, the steps, and all state that is needed to go on bit for bit.

#include "data/batches.h"
#include "model/transformer.h"
#include "parallel/execution_context.h"
#include "training/objective.h"
#include "training/optimizer.h"

#include <cstdint>
#include <vector>

namespace moe {

/// What one update did; losses are per target token.
struct StepReport {
  std::int64_t update = 0;  ///< counts from 1
  double learning_rate = 0;
  double cross_entropy = 0;  ///< label-smoothed, mean of the passes
  double plain = 0;          ///< unsmoothed
  double consistency = 0;
  double balance = 0;  ///< mean over layers, passes and micro-batches, unweighted
  double z = 0;
  double gradient_norm = 0;
  std::int64_t target_tokens = 0;  ///< without padding
  double flops = 0;
  std::vector<std::size_t> gates_without_gradient;  ///< MoE layers whose router can learn and got no gradient
};

class Trainer {
 public:
  /// All arguments outlive the trainer. Ranks share the micro-batches of an update, and all have all of its result: the
  /// bits of one process.
  Trainer(Transformer& model, const EncodedSet& train, double sampling_temperature, const TrainingSettings& training,
          const ObjectiveSettings& objective, ExecutionContext where);

  /// One update. `seconds` of training came before it, for a budget of time. Throws Error (runs_failed) when the loss
  /// or its gradient is not a number.
  StepReport step(double seconds = 0);

  /// Passes the largest batches of the first epochs (most tokens, most target tokens) forwards and backwards and learns
  /// nothing from them, so that memory peaks at the start of a run and not hours into it.
  void reserve_memory();

  const Transformer& model() const { return model_; }
  Communicator& ranks() const { return where_.ranks; }
  std::int64_t update() const { return update_; }
  /// Of the budget, with this many seconds of training; 1: the run's training is over.
  double share_spent(double seconds = 0) const;
  double learning_rate() const { return learning_rate_; }  ///< of the last step
  double epochs() const;
  double flops() const { return flops_; }
  std::int64_t target_tokens() const { return target_tokens_; }

  /// Adds parameters, buffers, moments and the position in the data, as they are when they are made: by all ranks
  /// alike, of which the first gets the whole of what is spread over them.
  void save(LazyTensors& sources) const;
  void load(const TensorFile& file);

 private:
  LossSums compute_gradients(const Batch& batch, const MicroBatch& micro);
  void rehearse(const Batch& batch);
  Batch next_batch();
  void load_epoch();

  Transformer& model_;
  const EncodedSet& train_;
  double sampling_temperature_;
  const TrainingSettings& training_;
  const ObjectiveSettings& objective_;
  ExecutionContext where_;
  Optimizer optimizer_;

  std::int64_t update_ = 0;
  std::int64_t epoch_ = 0;
  std::int64_t cursor_ = 0;  ///< next batch of the epoch
  double flops_ = 0;
  double learning_rate_ = 0;
  std::int64_t target_tokens_ = 0;
  std::vector<std::vector<std::int64_t>> epoch_batches_;
};

}  // namespace moe
