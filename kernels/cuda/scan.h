#pragma once
// Exclusive sums of counts. One block of threads does them all: counts are few beside the rows that they count.

#include "kernels/cuda/team.h"

namespace moe::cuda {

/// out[i] = in[0] + ... + in[i - 1]; out may be in.
struct ExclusiveSum {
  const std::int32_t* in;
  std::int64_t count;
  std::int32_t* out;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t) const {
    constexpr int members = Team::members;
    const std::int64_t chunk = divided_up(count, members);
    const auto end_of = [&](std::int64_t r) { return (r + 1) * chunk < count ? (r + 1) * chunk : count; };
    std::int32_t* from = team.template shared<std::int32_t, members, 0>();
    std::int32_t* to = team.template shared<std::int32_t, members, 1>();
    team.each(members, [&](std::int64_t r) {
      std::int32_t sum = 0;
      for (std::int64_t i = r * chunk; i < end_of(r); ++i) sum += in[i];
      from[r] = sum;
    });
    team.wait();
    for (int distance = 1; distance < members; distance *= 2) {  // from[r] becomes the sum of chunks 0 .. r
      team.each(members, [&](std::int64_t r) { to[r] = from[r] + (r >= distance ? from[r - distance] : 0); });
      team.wait();
      std::int32_t* const other = from;
      from = to;
      to = other;
    }
    team.each(members, [&](std::int64_t r) {
      std::int32_t before = r == 0 ? 0 : from[r - 1];
      for (std::int64_t i = r * chunk; i < end_of(r); ++i) {
        const std::int32_t own = in[i];
        out[i] = before;
        before += own;
      }
    });
  }
};

void run(const ExclusiveSum& body, Stream stream);

}  // namespace moe::cuda
