#include "training/weight_mean.h"

#include "core/error.h"
#include "model/expert_shards.h"

namespace moe {
namespace {

constexpr const char* prefix = "mean.";
constexpr const char* count_name = "mean_count";

}  // namespace

void WeightMean::add(const Transformer& model) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : model.named_parameters()) {
    torch::Tensor& sum = sums_[item.key()];
    if (!sum.defined()) sum = torch::zeros_like(item.value(), torch::kFloat64);
    sum += item.value().to(sum.device());  // a checkpoint's sums are on the CPU
  }
  ++count_;
}

void WeightMean::load_into(Transformer& model) const {
  const torch::NoGradGuard no_grad;
  if (count_ == 0) return;
  for (auto& item : model.named_parameters()) {
    item.value().copy_(sums_.at(item.key()) / static_cast<double>(count_));
  }
}

void WeightMean::save(const Transformer& model, LazyTensors& sources) const {
  if (count_ > 0) {
    for (const auto& item : model.named_parameters()) {
      sources.emplace(prefix + item.key(), gathered(model, item.value(), sums_.at(item.key())));
    }
  }
  sources.emplace(count_name, torch::tensor(count_, torch::kInt64));
}

void WeightMean::load(const Transformer& model, const TensorFile& file) {
  count_ = file.tensors.at(count_name).item<std::int64_t>();
  sums_.clear();
  if (count_ == 0) return;
  for (const auto& item : model.named_parameters()) {
    const auto sum = file.tensors.find(prefix + item.key());
    MOE_CHECK(sum != file.tensors.end(), "The mean of {} weights has no sum of \"{}\".", count_, item.key());
    sums_[item.key()] = own_part(model, item.value(), sum->second).clone();
  }
}

}  // namespace moe
