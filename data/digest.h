#pragma once
// A digest of a sequence of texts and numbers, for the names of cached files and runs.

#include "core/random.h"
#include "core/text.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace moe {

/// Each part is hashed by itself and then chained, so ("a", "bc") and ("ab", "c") differ.
class Digest {
 public:
  void add(std::string_view bytes) { stream_ = stream_.at(bytes); }
  void add(std::int64_t number) { stream_ = stream_.at(number); }
  /// Sixteen hexadecimal digits.
  std::string text() const { return hexadecimal(stream_.bits()); }

 private:
  RandomStream stream_{0};
};

/// Digest of one text.
inline std::string digest_of(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.text();
}

}  // namespace moe
