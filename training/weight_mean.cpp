#include "training/weight_mean.h"

#include "core/error.h"

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

void WeightMean::save(TensorFile& file) const {
  for (const auto& [name, sum] : sums_) file.tensors[prefix + name] = sum;
  file.tensors[count_name] = torch::tensor(count_, torch::kInt64);
}

void WeightMean::load(const TensorFile& file) {
  count_ = file.tensors.at(count_name).item<std::int64_t>();
  sums_.clear();
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) sums_[name.substr(std::string(prefix).size())] = tensor;
  }
  MOE_CHECK((count_ > 0) == !sums_.empty(), "The mean of {} weights has no sums.", count_);
}

}  // namespace moe
