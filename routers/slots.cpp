#include "routers/slots.h"

#include "core/error.h"
#include "routers/streams.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <tuple>

namespace moe {
namespace {

/// Slots of every group.
class Slots {
 public:
  Slots(const Capacity& capacity, std::int64_t choices, std::int64_t experts, const Tokens& tokens)
      : experts_(experts), groups_(make_groups(capacity.group, tokens)) {
    for (const std::int64_t valid_tokens : groups_.valid_tokens) {
      const auto slots = capacity_of(capacity, tokens.call.phase, choices, valid_tokens, experts);
      is_limited_ |= slots.has_value();
      capacity_.push_back(slots.value_or(std::numeric_limits<std::int64_t>::max()));
    }
    taken_.resize(groups_.valid_tokens.size() * static_cast<std::size_t>(experts));
  }

  bool is_limited() const { return is_limited_; }

  /// Whether the expert still has a slot for the token; takes it.
  bool take(std::int64_t token, std::int64_t expert) {
    const std::int64_t group = groups_.of_token[token];
    return taken_[group * experts_ + expert]++ < capacity_[group];
  }

 private:
  std::int64_t experts_;
  Groups groups_;
  std::vector<std::int64_t> capacity_, taken_;
  bool is_limited_ = false;
};

/// A choice and its place in the queue: first by rank, then by key.
struct Entry {
  std::int64_t token, choice, rank;
  double key;
};

/// All choices, in the order in which they are given slots.
std::vector<Entry> queue_of(const torch::Tensor& expert_TK, const FillOrder& fill, const FillKeys& keys,
                            const Tokens& tokens) {
  using Key = FillOrder::Key;
  MOE_CHECK(fill.key != Key::random || keys.stream, "Slots in random order need a stream.");
  const bool by_score = fill.key == Key::probability_of_first || fill.key == Key::probability;
  MOE_CHECK(!by_score || keys.score_TK.defined(), "Slots in the order of probabilities need these.");
  const torch::Tensor score_TK =
      by_score ? keys.score_TK.detach().to(torch::kCPU, torch::kFloat64) : torch::zeros({1, 1}, torch::kFloat64);
  const auto score = score_TK.accessor<double, 2>();
  const auto key = [&](std::int64_t t, std::int64_t k) {
    if (fill.key == Key::random) return token_stream(*keys.stream, tokens, t).at(k).uniform();
    return by_score ? -score[t][fill.key == Key::probability_of_first ? 0 : k] : 0.0;
  };
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  std::vector<Entry> queue;
  for (std::int64_t k = 0; k < expert_TK.size(1); ++k) {
    for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
      if (expert[t][k] >= 0) queue.push_back({t, k, fill.by_rank ? k : 0, key(t, k)});
    }
  }
  if (fill.key != Key::none) {
    std::stable_sort(queue.begin(), queue.end(),
                     [](const Entry& x, const Entry& y) { return std::tie(x.rank, x.key) < std::tie(y.rank, y.key); });
  }
  return queue;
}

}  // namespace

Groups make_groups(Grouping group, const Tokens& tokens) {
  const bool by_sentence = group == Grouping::sentence;
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  const auto row = tokens.row_T.accessor<std::int64_t, 1>();
  Groups groups;
  groups.of_token.resize(static_cast<std::size_t>(tokens.count()));
  groups.valid_tokens.resize(static_cast<std::size_t>(by_sentence ? tokens.rows : 1));
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    const std::int64_t index = by_sentence ? row[t] : 0;
    groups.of_token[t] = index;
    groups.valid_tokens[index] += valid[t] ? 1 : 0;
  }
  return groups;
}

torch::Tensor fill_slots(const torch::Tensor& expert_TK, std::int64_t experts, const Capacity& capacity,
                         const Tokens& tokens, const FillKeys& keys) {
  Slots slots(capacity, expert_TK.size(1), experts, tokens);
  if (!slots.is_limited()) return expert_TK >= 0;
  torch::Tensor kept_TK = torch::zeros(expert_TK.sizes(), torch::kBool);
  auto kept = kept_TK.accessor<bool, 2>();
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  for (const Entry& entry : queue_of(expert_TK, *capacity.fill, keys, tokens)) {
    kept[entry.token][entry.choice] = slots.take(entry.token, expert[entry.token][entry.choice]);
  }
  return kept_TK;
}

NextBest fill_next_best(const torch::Tensor& candidate_TR, std::int64_t experts, const Capacity& capacity,
                        const Tokens& tokens) {
  Slots slots(capacity, 1, experts, tokens);
  NextBest result{candidate_TR.narrow(1, 0, 1).clone(), torch::zeros({candidate_TR.size(0), 1}, torch::kBool)};
  const auto candidate = candidate_TR.accessor<std::int64_t, 2>();
  auto expert = result.expert_T1.accessor<std::int64_t, 2>();
  auto kept = result.kept_T1.accessor<bool, 2>();
  for (std::int64_t rank = 0; rank < candidate_TR.size(1); ++rank) {
    for (std::int64_t t = 0; t < candidate_TR.size(0); ++t) {
      if (kept[t][0] || candidate[t][rank] < 0 || !slots.take(t, candidate[t][rank])) continue;
      kept[t][0] = true;
      expert[t][0] = candidate[t][rank];
    }
  }
  return result;
}

}  // namespace moe
