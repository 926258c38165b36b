#include "routers/expert_offsets.h"

#include <torch/types.h>

#include <utility>

namespace moe {

ExpertOffsets::ExpertOffsets(std::vector<std::int64_t> host)
    : sides_(std::make_shared<Sides>(Sides{std::move(host), {}})) {}

ExpertOffsets::ExpertOffsets(torch::Tensor offset_E1)
    : sides_(std::make_shared<Sides>(Sides{{}, std::move(offset_E1)})) {}

std::int64_t ExpertOffsets::experts() const {
  return sides_->host.empty() ? sides_->offset_E1.size(0) - 1 : static_cast<std::int64_t>(sides_->host.size()) - 1;
}

const std::vector<std::int64_t>& ExpertOffsets::host() const {
  if (sides_->host.empty()) {
    const torch::Tensor offset_E1 = sides_->offset_E1.to(torch::kCPU, torch::kInt64).contiguous();
    const auto* first = offset_E1.const_data_ptr<std::int64_t>();
    sides_->host.assign(first, first + offset_E1.numel());
  }
  return sides_->host;
}

const torch::Tensor& ExpertOffsets::on(torch::Device device) const {
  if (!sides_->offset_E1.defined()) sides_->offset_E1 = torch::tensor(sides_->host, torch::kInt32);
  if (sides_->offset_E1.device() != device) sides_->offset_E1 = sides_->offset_E1.to(device);
  return sides_->offset_E1;
}

}  // namespace moe
