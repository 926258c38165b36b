#include "core/random.h"

#include "core/text.h"

#include <cmath>
#include <numbers>

namespace moe {

RandomStream RandomStream::at(std::string_view name) const {
  return at(hash_bytes(name));
}

double RandomStream::normal() const {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - at(0).uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * at(1).uniform());
}

}  // namespace moe
