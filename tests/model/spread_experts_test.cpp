// A layer whose experts are spread over ranks, under plans drawn at random: what one process computes, to the bit.

#include "kernels/gemm/select.h"
#include "model/moe_layer.h"
#include "parallel/nccl_transport.h"
#include "parallel/thread_communicator.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/recording_nccl.h"
#include "tests/support/tokens.h"

#include <torch/types.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <optional>
#include <vector>

// Legend: T tokens, D width, K choices per token, E experts.

namespace moe {
namespace {

constexpr std::int64_t micro_batches = 5;
constexpr double patience = 300;  ///< seconds, under sanitizers too

/// Which experts a plan may choose.
enum class Choice { any, one, first_half };

struct Case {
  int ranks;
  std::int64_t experts, choices;
  torch::Dtype dtype;
  Choice choice;
  int key;  ///< of all draws

  /// LibTorch's products give the same bits only for rows that fill lines of the cache.
  std::int64_t width() const {
    const Products& products = products_of(dtype);
    return products.linear == Product::library || products.one_thread == Product::library ? 16 : 6;
  }
  /// Some micro-batches have no token.
  std::int64_t tokens(std::int64_t micro_batch) const {
    return std::max<std::int64_t>(RandomStream(6).at(key).at(micro_batch).below(12) - 3, 0);
  }
  torch::Tensor states(std::int64_t micro_batch) const {
    return noise({tokens(micro_batch), width()}, 100 * key + static_cast<int>(micro_batch), dtype).requires_grad_(true);
  }
  torch::Tensor upstream(std::int64_t micro_batch) const {
    return noise({tokens(micro_batch), width()}, 100 * key + 50 + static_cast<int>(micro_batch), dtype);
  }
};

std::string text_of(const Case& c) {
  return fmt::format("{} ranks, {} experts, {} choices, {}, choice {}, key {}", c.ranks, c.experts, c.choices,
                     c.dtype == torch::kFloat32 ? "float32" : "bfloat16", static_cast<int>(c.choice), c.key);
}

/// Cases with all counts of ranks, choices and experts among them.
std::vector<Case> random_cases(int count) {
  std::vector<Case> cases;
  for (int key = 0; key < count; ++key) {
    const RandomStream draw = RandomStream(7).at(key);
    const std::int64_t experts = 1 + draw.at(0).below(6);
    const std::int64_t choices = 1 + draw.at(1).below(std::min<std::int64_t>(experts, 4));
    cases.push_back({static_cast<int>(2 + draw.at(2).below(3)), experts, choices,
                     draw.at(3).below(3) == 0 ? torch::kBFloat16 : torch::kFloat32,
                     static_cast<Choice>(draw.at(4).below(3)), key});
  }
  return cases;
}

/// Draws the experts of each token by the number of the micro-batch, and weights them by a parameter.
class RandomPlan : public Router {
 public:
  explicit RandomPlan(const Case& drawn) : case_(drawn) {
    weight_ = register_parameter("weight", noise({case_.choices}, case_.key));
  }
  ExpertLayout layout() const override { return {.count = case_.experts, .active = case_.choices}; }
  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const std::int64_t T = x_TD.size(0), K = case_.choice == Choice::one ? 1 : case_.choices;
    torch::Tensor expert_TK = torch::empty({T, K}, torch::kInt64);
    for (std::int64_t t = 0; t < T; ++t) {
      const std::vector<std::int64_t> expert = drawn(RandomStream(8).at(case_.key).at(tokens.call.step).at(t));
      for (std::int64_t k = 0; k < K; ++k) expert_TK[t][k] = expert[static_cast<std::size_t>(k)];
    }
    const torch::Tensor weight_TK = weight_.slice(0, 0, K).expand({T, K});
    return make_plan(expert_TK, {}, weight_TK, case_.experts, torch::kCPU);
  }

 private:
  /// Some of a token's choices may be none (-1).
  std::vector<std::int64_t> drawn(const RandomStream& stream) const {
    if (case_.choice == Choice::one) return {case_.key % case_.experts};
    const std::int64_t among =
        case_.choice == Choice::first_half ? std::max<std::int64_t>(case_.experts / 2, 1) : case_.experts;
    std::vector<std::int64_t> expert(static_cast<std::size_t>(std::max(among, case_.choices)), -1);
    std::iota(expert.begin(), expert.begin() + among, 0);
    for (std::size_t i = expert.size() - 1; i > 0; --i) {
      std::swap(expert[i],
                expert[static_cast<std::size_t>(stream.at(static_cast<int>(i)).below(static_cast<int>(i) + 1))]);
    }
    return expert;
  }

  Case case_;
  torch::Tensor weight_;
};

std::shared_ptr<MoeLayer> make_layer(const Case& c, ExpertExchange* exchange) {
  return std::make_shared<MoeLayer>("layer", ExpertShape{c.width(), 2 * c.width(), false, exchange},
                                    std::make_shared<RandomPlan>(c), 1);
}

struct MicroBatch {
  torch::Tensor y_TD, grad_x_TD, grad_weight_K;
};

MicroBatch compute(MoeLayer& layer, const Case& c, std::int64_t micro_batch) {
  layer.router().zero_grad();
  const torch::Tensor x_TD = c.states(micro_batch);
  Tokens tokens = one_sentence(c.tokens(micro_batch));
  tokens.call.step = micro_batch;
  const torch::Tensor y_TD = layer.forward(x_TD, tokens).y_TD;
  y_TD.backward(c.upstream(micro_batch));
  const torch::Tensor grad_weight_K = layer.router().parameters()[0].grad();
  return {y_TD.detach(), x_TD.grad(), grad_weight_K.defined() ? grad_weight_K.clone() : torch::Tensor()};
}

bool same(const torch::Tensor& one, const torch::Tensor& other) {
  if (!one.defined() || !other.defined()) return one.defined() == other.defined();
  return one.scalar_type() == other.scalar_type() && one.equal(other);
}

bool same(const MicroBatch& one, const MicroBatch& other) {
  return same(one.y_TD, other.y_TD) && same(one.grad_x_TD, other.grad_x_TD) &&
         same(one.grad_weight_K, other.grad_weight_K);
}

/// What one process computes, micro-batch by micro-batch, and the sum of its experts' gradients along the tree.
struct Alone {
  std::vector<MicroBatch> micro_batch;
  Gradients gradients;

  explicit Alone(const Case& c) {
    const auto layer = make_layer(c, nullptr);
    TreeSum<Gradients> sum;
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      layer->zero_grad();
      micro_batch.push_back(compute(*layer, c, m));
      Gradients leaf;
      for (const torch::Tensor& parameter : layer->expert_parameters()) {
        leaf.push_back(parameter.grad().defined() ? parameter.grad().clone() : torch::Tensor());
      }
      sum.push({m, 0}, std::move(leaf), add_gradients);
    }
    gradients = sum.finish(add_gradients);
  }
};

/// What differs on this rank from what one process computes, or none.
std::optional<std::string> difference(const Case& c, const Alone& alone, Communicator& ranks) {
  ExpertExchange exchange(ranks);
  const auto layer = make_layer(c, &exchange);
  std::optional<std::string> found;
  exchange.begin_update(micro_batches);
  const Share share = share_of(micro_batches, ranks.rank(), ranks.size());
  for (std::int64_t m = share.first; m < share.last; ++m) {
    exchange.begin_micro_batch(m);
    if (!same(compute(*layer, c, m), alone.micro_batch[static_cast<std::size_t>(m)])) {
      found = fmt::format("micro-batch {}", m);
    }
  }
  exchange.settle();
  exchange.finish_update();
  const std::vector<torch::Tensor> parameters = layer->expert_parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const torch::Tensor expected = alone.gradients[p].defined() ? alone.gradients[p] : torch::zeros({c.experts});
    const torch::Tensor mine = expected.narrow(0, layer->owned().first, layer->owned().count());
    const bool equal =
        alone.gradients[p].defined() ? parameters[p].grad().equal(mine) : !parameters[p].grad().any().item<bool>();
    if (!equal) found = fmt::format("gradient {} of the experts", p);
  }
  return found;
}

}  // namespace

TEST_CASE("a layer whose experts are spread over ranks is that of one process under any plan") {
  std::int64_t empty_micro_batches = 0, ranks_without_experts = 0;
  for (const Case& c : random_cases(60)) {
    INFO(text_of(c));
    const Alone alone(c);
    for (const bool by_nccl : {false, true}) {
      INFO((by_nccl ? "by NCCL" : "through the host's memory"));
      RecordingNccl nccl(c.ranks);
      std::mutex mutex;
      std::vector<std::string> differences;
      run_on_threads(c.ranks, patience, [&](Communicator& ranks) {
        if (by_nccl) use_nccl(ranks, torch::kCPU, RecordingNccl::api);
        const std::optional<std::string> found = difference(c, alone, ranks);
        const std::scoped_lock lock(mutex);
        if (found) differences.push_back(fmt::format("rank {}: {}", ranks.rank(), *found));
      });
      CHECK(differences == std::vector<std::string>());
      CHECK(nccl.mismatch().empty());
    }
    for (std::int64_t m = 0; m < micro_batches; ++m) empty_micro_batches += c.tokens(m) == 0 ? 1 : 0;
    ranks_without_experts += c.ranks > c.experts ? 1 : 0;
  }
  CHECK(empty_micro_batches > 10);  // the draws hold what they are for
  CHECK(ranks_without_experts > 5);
}

}  // namespace moe
