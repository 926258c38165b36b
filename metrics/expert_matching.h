#pragma once
// Whether two trainings learned the same routes. Expert 3 of one and expert 3 of the other have nothing in common but
// their number, so experts are matched first.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace moe {

/// For each row of a square matrix its column, one to one, so that the sum of gains is largest: the Hungarian algorithm
/// by shortest augmenting paths (Kuhn 1955, Jonker and Volgenant 1987), time n^3. Throws unless it is square.
std::vector<std::size_t> best_matching(const std::vector<std::vector<double>>& gain);

struct RoutingAgreement {
  double share = 0;        ///< of the tokens that go to matched experts
  double chance = 0;       ///< what two routers of the same loads that know nothing of each other agree on
  std::size_t tokens = 0;  ///< that both gave an expert
};

/// Of the choices that two trainings made for the same tokens, -1 for none. Nothing where no token has two. Throws for
/// lists of different lengths and for experts beyond `experts`.
std::optional<RoutingAgreement> routing_agreement(const std::vector<std::int64_t>& first,
                                                  const std::vector<std::int64_t>& second, std::int64_t experts);

}  // namespace moe
