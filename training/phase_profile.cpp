#include "training/phase_profile.h"

#include <ATen/record_function.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

namespace moe {
namespace {

using Clock = std::chrono::steady_clock;

/// Phases of LibTorch's operators. Names of our own scopes are phases themselves.
const std::map<std::string_view, std::string>& operator_phases() {
  static const std::map<std::string_view, std::string> phases = {
      {"aten::addmm", "matrix products"},
      {"aten::bmm", "matrix products"},
      {"aten::linear", "matrix products"},
      {"aten::mm", "matrix products"},
      {"aten::scaled_dot_product_attention", "attention"},
      {"aten::_scaled_dot_product_flash_attention_for_cpu_backward", "attention"},
      {"aten::_scaled_dot_product_attention_math", "attention"},
      {"aten::native_layer_norm", "layer norm"},
      {"aten::native_layer_norm_backward", "layer norm"},
      {"aten::embedding", "embedding"},
      {"aten::embedding_dense_backward", "embedding"},
      {"aten::index_select", "rows"},
      {"aten::index_select_backward", "rows"},
      {"aten::to", "conversion"},
      {"aten::_to_copy", "conversion"},
      {"aten::contiguous", "copies"},
      {"aten::clone", "copies"},
      {"aten::copy_", "copies"},
      {"aten::add", "sums"},
      {"aten::add_", "sums"},
      {"aten::sum", "sums"},
      {"aten::zeros", "zeros"},
      {"aten::zero_", "zeros"},
      {"aten::slice_backward", "slices"},
      {"aten::select_backward", "slices"},
  };
  return phases;
}

struct Profile {
  std::map<std::string, double> seconds;
  Clock::time_point start = Clock::now();
  at::CallbackHandle handle{};
  bool in_phase = false;  ///< an operator with a phase is under way
};

thread_local Profile* profile = nullptr;

/// An operator with a phase, while it runs.
struct Span : at::ObserverContext {
  explicit Span(std::string to_phase) : phase(std::move(to_phase)) {}
  std::string phase;
  Clock::time_point start = Clock::now();
};

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  if (profile == nullptr || profile->in_phase) return nullptr;
  std::string phase;
  if (function.scope() == at::RecordScope::USER_SCOPE) {
    phase = function.name();
  } else {
    const auto found = operator_phases().find(function.name());
    if (found == operator_phases().end()) return nullptr;
    phase = found->second;
  }
  profile->in_phase = true;
  return std::make_unique<Span>(std::move(phase));
}

void end(const at::RecordFunction&, at::ObserverContext* context) {
  if (context == nullptr || profile == nullptr) return;
  const auto* span = static_cast<Span*>(context);
  profile->seconds[span->phase] += std::chrono::duration<double>(Clock::now() - span->start).count();
  profile->in_phase = false;
}

}  // namespace

PhaseProfile::PhaseProfile() {
  profile = new Profile;
  profile->handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(begin, end).scopes({at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE}));
}

PhaseProfile::~PhaseProfile() {
  at::removeCallback(profile->handle);
  delete std::exchange(profile, nullptr);
}

std::map<std::string, double> PhaseProfile::seconds() const {
  std::map<std::string, double> seconds = profile->seconds;
  double other = std::chrono::duration<double>(Clock::now() - profile->start).count();
  for (const auto& [phase, spent] : seconds) other -= spent;
  seconds["other"] = other;
  return seconds;
}

}  // namespace moe
