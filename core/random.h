#pragma once
// Counter-based randomness: a draw is a pure function of what it is for.
//
// There is no generator with a state. A stream is named by a chain of integers (run seed, stream tag, layer, step,
// pass, sentence, position, index), and the same chain gives the same draw in any order of calls, in any batch, on any
// run. The chain is mix(mix(mix(seed) xor a) xor b)..., with splitmix64 as `mix`; the hash router's table (Roller et
// al. 2021, in the form fixed by this project) is the same chain over (seed, layer, token id).

#include <cstdint>
#include <string_view>

namespace moe {

/// The splitmix64 finaliser (Steele et al. 2014): a bijection on 64-bit integers; mix(0) = 0xe220a8397b1dcdaf.
constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

/// What a stream of draws is for; two uses never share a stream.
enum class StreamTag : std::uint64_t {
  initialisation = 1,
  shuffle,
  sampling,
  dropout,
  jitter,
  second_choice,
  random_route,
  thor_train,
  thor_inference,
  synthetic,
  bootstrap,
  slots,
  routing_swap,
};

/// A point in the tree of streams. Cheap to copy; every member is pure.
class RandomStream {
 public:
  constexpr explicit RandomStream(std::uint64_t seed) : key_(mix(seed)) {}

  /// The stream one level down, at `index`.
  constexpr RandomStream at(std::uint64_t index) const { return RandomStream(Raw{mix(key_ ^ index)}); }
  constexpr RandomStream at(std::int64_t index) const { return at(static_cast<std::uint64_t>(index)); }
  constexpr RandomStream at(int index) const { return at(static_cast<std::uint64_t>(index)); }
  constexpr RandomStream at(StreamTag tag) const { return at(static_cast<std::uint64_t>(tag)); }
  /// The stream of a name, a parameter's for example.
  RandomStream at(std::string_view name) const;

  /// 64 uniform bits.
  constexpr std::uint64_t bits() const { return key_; }
  /// Uniform in [0, 1), with 53 bits.
  constexpr double uniform() const { return static_cast<double>(key_ >> 11U) * 0x1.0p-53; }
  /// Uniform in 0 .. count - 1; the bias of the remainder is below count / 2^64.
  constexpr std::int64_t below(std::int64_t count) const {
    return static_cast<std::int64_t>(key_ % static_cast<std::uint64_t>(count));
  }
  /// Standard normal (Box and Muller, from two draws one level down).
  double normal() const;

 private:
  struct Raw {
    std::uint64_t key;
  };
  constexpr explicit RandomStream(Raw raw) : key_(raw.key) {}

  std::uint64_t key_;
};

}  // namespace moe
