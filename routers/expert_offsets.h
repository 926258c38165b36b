#pragma once
// Where the assignments of each expert stand in a list that is sorted by expert.

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace moe {

/// E + 1 numbers: the assignments of expert e are [offset[e], offset[e + 1]). They are made on the host or on a device,
/// and copied to the other side when that is first asked for. Copies of the object share both.
class ExpertOffsets {
 public:
  ExpertOffsets() : ExpertOffsets(std::vector<std::int64_t>{0}) {}
  ExpertOffsets(std::vector<std::int64_t> host);  // NOLINT(google-explicit-constructor): a plain list is what it is
  /// int32 [E + 1], on any device.
  explicit ExpertOffsets(torch::Tensor offset_E1);

  std::int64_t experts() const;
  /// On a GPU the first call waits for it.
  const std::vector<std::int64_t>& host() const;
  /// int32 [E + 1].
  const torch::Tensor& on(torch::Device device) const;

 private:
  struct Sides {
    std::vector<std::int64_t> host;
    torch::Tensor offset_E1;
  };
  std::shared_ptr<Sides> sides_;
};

}  // namespace moe
