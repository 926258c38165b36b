// The assignment is a flow: token -> expert -> sink, in which an expert has floor(S / E) slots of its own and may take
// one more from a pool of S mod E. Tokens enter one by one, each along the path of largest gain through the experts:
// into an expert, which may push one of its tokens on to another, and so on to a free slot. After every token the flow
// is the best one for the tokens so far (successive shortest paths; Ahuja, Magnanti and Orlin 1993, section 9.7).
#include "routers/balanced_assignment.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <vector>

// Legend: S valid tokens, E experts. Node E of a path is the pool.

namespace moe {
namespace {

using Gain = std::int64_t;
constexpr Gain impossible = std::numeric_limits<Gain>::min();
// Affinities are whole multiples of 2^-40 of their range: sums are exact, so that rounding makes no path longer.
constexpr double resolution = 0x1.0p40;

class AugmentingPaths {
 public:
  /// affinity: [S][E].
  AugmentingPaths(std::vector<std::vector<Gain>> affinity, std::size_t experts)
      : affinity_(std::move(affinity)),
        experts_(experts),
        own_slots_(affinity_.size() / experts),
        pool_(affinity_.size() % experts),
        load_(experts, 0),
        expert_of_(affinity_.size(), experts),
        movable_(experts * experts) {
    for (std::size_t token = 0; token < affinity_.size(); ++token) insert(token);
  }

  std::size_t expert_of(std::size_t token) const { return expert_of_[token]; }

 private:
  /// A token that could leave an expert for another, and what that would gain.
  struct Move {
    Gain gain;
    std::size_t token;
    bool operator<(const Move& other) const { return gain != other.gain ? gain < other.gain : token > other.token; }
  };
  struct Step {
    Gain gain = impossible;
    std::size_t from = 0;   ///< node before; itself at the start
    std::size_t token = 0;  ///< the token that moves from there
  };

  bool has_own_slot(std::size_t expert) const { return load_[expert] < own_slots_; }
  bool uses_pool(std::size_t expert) const { return load_[expert] > own_slots_; }

  void place(std::size_t token, std::size_t expert) {
    expert_of_[token] = expert;
    ++load_[expert];
    for (std::size_t other = 0; other < experts_; ++other) {
      if (other == expert) continue;
      movable_[expert * experts_ + other].push({affinity_[token][other] - affinity_[token][expert], token});
    }
  }

  /// The best token to move between two experts; null when the first has none.
  const Move* best_move(std::size_t from, std::size_t to) {
    auto& moves = movable_[from * experts_ + to];
    while (!moves.empty() && expert_of_[moves.top().token] != from) moves.pop();
    return moves.empty() ? nullptr : &moves.top();
  }

  void insert(std::size_t token) {
    const std::vector<Gain>& gains = affinity_[token];
    const auto best = static_cast<std::size_t>(std::max_element(gains.begin(), gains.end()) - gains.begin());
    if (has_own_slot(best)) {  // no path that goes on from there gains: the flow was the best one before
      place(token, best);
      return;
    }
    std::vector<Step> steps(experts_ + 1);
    for (std::size_t expert = 0; expert < experts_; ++expert) steps[expert] = {gains[expert], expert, token};
    relax(steps);
    follow(steps, last_of_best_path(steps));
  }

  /// Bellman and Ford: longer paths replace shorter ones that gain less. No cycle gains, so it ends.
  void relax(std::vector<Step>& steps) {
    std::vector<bool> changed(experts_ + 1, true);
    for (bool any = true; any;) {
      any = false;
      for (std::size_t from = 0; from <= experts_; ++from) {
        if (!changed[from] || steps[from].gain == impossible) continue;
        changed[from] = false;
        for (std::size_t to = 0; to <= experts_; ++to) {
          if (!relax_edge(steps, from, to)) continue;
          changed[to] = true;
          any = true;
        }
      }
    }
  }

  bool relax_edge(std::vector<Step>& steps, std::size_t from, std::size_t to) {
    if (from == to) return false;
    Step step{steps[from].gain, from, 0};
    if (to == experts_) {  // an expert that takes one more than its own slots, which are taken
      if (load_[from] != own_slots_) return false;
    } else if (from == experts_) {  // and one that has to give that up
      if (!uses_pool(to)) return false;
    } else {
      const Move* const move = best_move(from, to);
      if (move == nullptr) return false;
      step.gain += move->gain;
      step.token = move->token;
    }
    if (step.gain <= steps[to].gain) return false;
    steps[to] = step;
    return true;
  }

  /// A path ends at an expert with a slot of its own, or at the pool while that has any.
  std::size_t last_of_best_path(const std::vector<Step>& steps) const {
    std::size_t best = pool_ > 0 ? experts_ : 0;
    bool found = pool_ > 0;
    for (std::size_t expert = 0; expert < experts_; ++expert) {
      if (!has_own_slot(expert) || (found && steps[expert].gain <= steps[best].gain)) continue;
      best = expert;
      found = true;
    }
    return best;
  }

  /// Carries out the moves of a path, from its end to its start.
  void follow(const std::vector<Step>& steps, std::size_t node) {
    if (node == experts_) --pool_;
    while (true) {
      const Step& step = steps[node];
      const bool is_first = step.from == node;
      if (node != experts_ && step.from != experts_) {
        if (!is_first) --load_[step.from];
        place(step.token, node);
      }
      if (is_first) return;
      node = step.from;
    }
  }

  std::vector<std::vector<Gain>> affinity_;
  std::size_t experts_, own_slots_, pool_;
  std::vector<std::size_t> load_, expert_of_;
  std::vector<std::priority_queue<Move>> movable_;  ///< [from][to], with moves that have lapsed among them
};

/// The rows of valid tokens as whole numbers, [S][E].
std::vector<std::vector<Gain>> whole_affinities(const torch::Tensor& affinity_TE, const Tokens& tokens) {
  const torch::Tensor valid_SE =
      affinity_TE.detach().to(torch::kCPU, torch::kFloat64).index_select(0, tokens.valid_T.nonzero().squeeze(1));
  const torch::Tensor finite = valid_SE.masked_select(valid_SE.isfinite());
  const double smallest = finite.numel() > 0 ? finite.min().item<double>() : 0;
  const double range = finite.numel() > 0 ? finite.max().item<double>() - smallest : 0;
  const auto affinity = valid_SE.accessor<double, 2>();
  std::vector<std::vector<Gain>> whole(static_cast<std::size_t>(valid_SE.size(0)));
  for (std::int64_t s = 0; s < valid_SE.size(0); ++s) {
    for (std::int64_t e = 0; e < valid_SE.size(1); ++e) {
      const bool counts = std::isfinite(affinity[s][e]) && range > 0;
      whole[static_cast<std::size_t>(s)].push_back(
          counts ? std::llround((affinity[s][e] - smallest) / range * resolution) : 0);
    }
  }
  return whole;
}

}  // namespace

torch::Tensor balanced_assignment(const torch::Tensor& affinity_TE, const Tokens& tokens) {
  const AugmentingPaths assignment(whole_affinities(affinity_TE, tokens),
                                   static_cast<std::size_t>(affinity_TE.size(1)));
  torch::Tensor expert_T1 = torch::full({tokens.count(), 1}, -1, torch::kInt64);
  auto expert = expert_T1.accessor<std::int64_t, 2>();
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  std::size_t token = 0;
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (valid[t]) expert[t][0] = static_cast<std::int64_t>(assignment.expert_of(token++));
  }
  return expert_T1;
}

}  // namespace moe
