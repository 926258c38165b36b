#pragma once
// Where the time of training goes, by phase: matrix products, attention, dropout, loss and so on.

#include <map>
#include <string>

namespace moe {

/// Measures what the calling thread does between construction and destruction of the object, forward and backward, by
/// LibTorch's own hooks. Our kernels mark their work with RECORD_USER_SCOPE; LibTorch's operators are known by name. An
/// operator inside another counts as the outer one's, unless that has no phase. One object at a time.
class PhaseProfile {
 public:
  PhaseProfile();
  ~PhaseProfile();
  PhaseProfile(const PhaseProfile&) = delete;
  PhaseProfile& operator=(const PhaseProfile&) = delete;

  /// Seconds by phase so far; "other" is what no phase was found for.
  std::map<std::string, double> seconds() const;
};

}  // namespace moe
