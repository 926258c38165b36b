#pragma once
// The mean of a model's weights over the last updates of training, which is what the test sets are scored with.

#include "model/safetensors.h"
#include "model/transformer.h"

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace moe {

/// A mean of parameters (Izmailov et al. 2018), summed in float64 in the order in which they came. Buffers, such as the
/// biases of a balancing router, have no mean: those of the model stay.
class WeightMean {
 public:
  void add(const Transformer& model);
  std::int64_t count() const { return count_; }

  /// Sets the model's parameters to the mean; leaves them when nothing was added.
  void load_into(Transformer& model) const;

  /// Adds tensors "mean.NAME" and the number of weights behind them, of the model that was added, as Trainer::save
  /// does.
  void save(const Transformer& model, LazyTensors& sources) const;
  /// Throws Error when the number says that there are sums and the file has none.
  void load(const Transformer& model, const TensorFile& file);

 private:
  std::int64_t count_ = 0;
  std::map<std::string, torch::Tensor> sums_;  ///< by parameter
};

}  // namespace moe
