#pragma once
// From a gate's logits to assignments sorted by expert, on a GPU: the best experts of each token (best_experts of
// routers/gating.h), and a stable counting sort of the choices (make_plan of routers/plan.h).

#include "kernels/cuda/team.h"

#include <bit>
#include <cstdint>

// Legend: T tokens, E experts, K choices a token, A = T K choices in the order of tokens, B chunks of choices.

namespace moe::cuda {

/// Larger for a better choice, and never 0: the score's bits in their order, then the lower index. -0 is 0, and NaN is
/// below every number.
MOE_DEVICE inline std::uint64_t rank_of_choice(float score, std::uint32_t expert) {
  std::uint32_t ordered = 0;
  if (score == score) {
    const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
    ordered = (bits >> 31U) != 0 ? ~bits : bits | 0x80000000U;
  }
  return (static_cast<std::uint64_t>(ordered) << 32U) | (0xffffffffU - expert);
}
MOE_DEVICE inline std::int64_t expert_of_rank(std::uint64_t rank) {
  return static_cast<std::int64_t>(0xffffffffU - static_cast<std::uint32_t>(rank));
}

/// The K best experts of each token, the best first; -1 for padding.
struct BestExperts {
  const float* score;  ///< [T, E]
  const bool* valid;   ///< [T]
  int experts, choices;
  std::int64_t* expert;  ///< [T, K]

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t t) const {
    const float* row = score + t * experts;
    std::uint64_t last = ~std::uint64_t{0};  // the next best rank is below
    for (int k = 0; k < choices; ++k) {
      if (valid[t]) {
        last = team.template largest<std::uint64_t>(experts, 0, [&](std::int64_t e) {
          const std::uint64_t rank = rank_of_choice(row[e], static_cast<std::uint32_t>(e));
          return rank < last ? rank : 0;
        });
      }
      team.once([&] { expert[t * choices + k] = valid[t] ? expert_of_rank(last) : -1; });
    }
  }
};

/// Choices of each chunk by expert: count[e B + b]. A choice of -1 counts nowhere. count: [E B + 1]; the last is 0, so
/// that its exclusive sum is M.
struct CountChoices {
  const std::int64_t* expert;  ///< [A]
  std::int64_t choices;        ///< A
  int experts;
  std::int64_t chunks;  ///< B
  std::int32_t* count;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t b) const {
    const std::int64_t first = b * Team::members;
    const std::int64_t own = choices - first < Team::members ? choices - first : Team::members;
    team.each(experts, [&](std::int64_t e) { count[e * chunks + b] = 0; });
    team.wait();
    team.each(own, [&](std::int64_t i) {
      if (expert[first + i] >= 0) fetch_add(count + expert[first + i] * chunks + b, 1);
    });
    if (b == 0) team.once([&] { count[experts * chunks] = 0; });
  }
};

/// Puts each choice behind those of its expert in earlier chunks, and behind the earlier ones of its own.
struct PlaceChoices {
  const std::int64_t* expert;
  std::int64_t choices;
  int experts, choices_of_token;
  std::int64_t chunks;
  const std::int32_t* start;     ///< the exclusive sums of `count`
  std::int64_t *token, *source;  ///< [M]: of each assignment, its row and its index in [T, K]
  std::int32_t* offset;          ///< [E + 1]

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t b) const {
    const std::int64_t first = b * Team::members;
    const std::int64_t own = choices - first < Team::members ? choices - first : Team::members;
    auto* of_chunk = team.template shared<std::int32_t, Team::members, 0>();
    team.each(own, [&](std::int64_t i) { of_chunk[i] = static_cast<std::int32_t>(expert[first + i]); });
    team.wait();
    team.each(own, [&](std::int64_t i) {
      const std::int32_t chosen = of_chunk[i];
      if (chosen < 0) return;
      std::int32_t earlier = 0;
      for (std::int64_t j = 0; j < i; ++j) earlier += of_chunk[j] == chosen ? 1 : 0;
      const std::int64_t place = start[chosen * chunks + b] + earlier;
      token[place] = (first + i) / choices_of_token;
      source[place] = first + i;
    });
    if (b == 0) team.each(experts + 1, [&](std::int64_t e) { offset[e] = start[e * chunks]; });
  }
};

/// `rows`: T.
void run(const BestExperts& body, std::int64_t rows, Stream stream);
/// A block of threads a chunk.
void run(const CountChoices& body, Stream stream);
void run(const PlaceChoices& body, Stream stream);

}  // namespace moe::cuda
