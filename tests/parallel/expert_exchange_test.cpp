#include "parallel/expert_exchange.h"

#include "parallel/nccl_transport.h"
#include "parallel/share_out.h"
#include "parallel/thread_communicator.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "tests/support/noise.h"
#include "tests/support/recording_nccl.h"

#include <torch/types.h>

#include <functional>
#include <mutex>
#include <new>
#include <stdexcept>

namespace moe {
namespace {

/// Experts from `first_expert` on that multiply row by row with a vector of their own, [E, D].
torch::Tensor scaled(const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets, const torch::Tensor& scale_ED,
                     std::int64_t first_expert = 0) {
  std::vector<torch::Tensor> parts;
  const std::int64_t start = offsets[static_cast<std::size_t>(first_expert)];
  for (std::int64_t e = 0; e < scale_ED.size(0); ++e) {
    const auto place = static_cast<std::size_t>(first_expert + e);
    const std::int64_t first = offsets[place] - start, last = offsets[place + 1] - start;
    parts.push_back(x_MD.narrow(0, first, last - first) * scale_ED[e]);
  }
  return parts.empty() ? x_MD : torch::cat(parts);
}

/// This many rows for each of the experts; some experts have none, and what is drawn depends on the call alone.
std::vector<std::int64_t> random_offsets(std::int64_t experts, int call) {
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::int64_t rows = RandomStream(3).at(call).at(e).below(5);
    offsets.push_back(offsets.back() + std::max<std::int64_t>(rows - 2, 0));
  }
  return offsets;
}

struct Case {
  int ranks;
  std::int64_t experts;
  torch::Dtype dtype;
};

/// What is said when the first of two ranks calls a layer's experts in update 3 and the other does not come.
std::string said_when_alone(
    const std::function<void(Communicator&, const std::function<void()>& call_experts)>& first_rank) {
  return error_of([&] {
    run_on_threads(2, 0.2, [&](Communicator& ranks) {
      ExpertExchange exchange(ranks);
      const torch::Tensor mine_ED = noise({1, 2}, 2);
      const std::int64_t layer = exchange.add_layer(
          {"decoder.1.ffn", 2, {mine_ED}, [](const torch::Tensor& x_MD, const auto&) { return x_MD; }});
      ranks.set_update(3);
      if (!ranks.is_first()) return;
      first_rank(ranks, [&] { exchange.forward(layer, noise({2, 2}, 3), {0, 1, 2}, /*keep=*/false); });
    });
  });
}

}  // namespace

TEST_CASE("a rank that cannot answer the others' calls ends the job with what it says") {
  for (const bool by_nccl : {false, true}) {
    RecordingNccl nccl(2);
    const std::string said = error_of([&] {
      // By NCCL the other rank waits until the deadline: it hears of nothing there.
      run_on_threads(2, by_nccl ? 3 : 60, [&](Communicator& ranks) {
        if (by_nccl) use_nccl(ranks, torch::kCPU, RecordingNccl::api);
        ExpertExchange exchange(ranks);
        const auto apply = [&](const torch::Tensor& x_MD, const auto&) -> torch::Tensor {
          if (!ranks.is_first()) throw std::bad_alloc();
          return x_MD;
        };
        const std::int64_t layer = exchange.add_layer({"layer", 2, {noise({1, 2}, 2)}, apply});
        meet(ranks, "a part", [&] {
          exchange.forward(layer, noise({2, 2}, 3), {0, 1, 2}, /*keep=*/false);
          return std::string();
        });
      });
    });
    CHECK(said == "Rank 1: Out of memory.");
  }
}

TEST_CASE("rows that travel to the owners of their experts give what one process gives, forwards and backwards") {
  constexpr std::int64_t width = 3, micro_batches = 5;
  for (const Case& c : {Case{2, 4, torch::kFloat32}, Case{3, 4, torch::kFloat32}, Case{4, 2, torch::kFloat32},
                        Case{2, 5, torch::kBFloat16}}) {
    const torch::Tensor all_ED = noise({c.experts, width}, 1);
    // Micro-batch m makes m % 3 calls, some of them without rows.
    const auto calls_of = [](std::int64_t m) { return m % 3; };
    const auto key = [](std::int64_t m, std::int64_t call) { return static_cast<int>(10 * m + call); };
    const auto rows = [&](int call) { return noise({random_offsets(c.experts, call).back(), width}, call, c.dtype); };
    const auto weights = [&](int call) {
      return noise({random_offsets(c.experts, call).back(), width}, 50 + call, c.dtype);
    };

    torch::Tensor alone_ED = all_ED.clone().requires_grad_(true);
    torch::Tensor expected;
    std::vector<torch::Tensor> of_micro_batch;
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      for (std::int64_t call = calls_of(m) - 1; call >= 0; --call) {
        const int k = key(m, call);
        scaled(rows(k), random_offsets(c.experts, k), alone_ED.to(c.dtype)).backward(weights(k));
      }
      of_micro_batch.push_back(alone_ED.grad().defined() ? alone_ED.grad().clone() : torch::zeros_like(all_ED));
      alone_ED.mutable_grad().reset();
    }
    TreeSum<Gradients> sum;
    for (std::int64_t m = 0; m < micro_batches; ++m) {
      sum.push({m, 0}, {of_micro_batch[static_cast<std::size_t>(m)]}, add_gradients);
    }
    expected = sum.finish(add_gradients)[0];

    run_on_threads(c.ranks, 60, [&](Communicator& ranks) {
      ExpertExchange exchange(ranks);
      const Share owned = exchange.owned_of(c.experts);
      torch::Tensor mine_ED = all_ED.narrow(0, owned.first, owned.count()).clone().requires_grad_(true);
      const std::int64_t layer = exchange.add_layer(
          {"layer", c.experts, {mine_ED}, [&](const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets) {
             return scaled(x_MD, offsets, mine_ED.to(x_MD.scalar_type()), owned.first);
           }});
      for (int update = 0; update < 2; ++update) {
        exchange.begin_update(micro_batches);
        const Share share = share_of(micro_batches, ranks.rank(), ranks.size());
        for (std::int64_t m = share.first; m < share.last; ++m) {
          exchange.begin_micro_batch(m);
          std::vector<ExpertExchange::Answer> answers;
          for (std::int64_t call = 0; call < calls_of(m); ++call) {
            const int k = key(m, call);
            const auto offsets = random_offsets(c.experts, k);
            answers.push_back(exchange.forward(layer, rows(k), offsets, /*keep=*/true));
            if (!answers.back().y_MD.equal(scaled(rows(k), offsets, all_ED.to(c.dtype)))) {
              throw std::runtime_error("wrong outputs");
            }
          }
          for (std::int64_t call = calls_of(m) - 1; call >= 0; --call) {
            const int k = key(m, call);
            const auto offsets = random_offsets(c.experts, k);
            const torch::Tensor grad_x =
                exchange.backward(layer, answers[static_cast<std::size_t>(call)].call, weights(k), offsets);
            if (!grad_x.equal(scaled(weights(k), offsets, all_ED.to(c.dtype))))
              throw std::runtime_error("wrong gradients");
          }
        }
        exchange.settle();
        exchange.finish_update();
        if (owned.count() > 0 && !mine_ED.grad().equal(expected.narrow(0, owned.first, owned.count()))) {
          throw std::runtime_error("wrong gradients of experts");
        }
        mine_ED.mutable_grad().reset();
      }
      for (const std::int64_t message : {longest_message, std::int64_t{20}, std::int64_t{1}}) {
        const torch::Tensor whole = gather_rows(ranks, mine_ED, c.experts, message);
        if (whole.defined() != ranks.is_first() || (whole.defined() && !whole.equal(all_ED))) {
          throw std::runtime_error("wrong gathered rows");
        }
      }
    });
  }
}

TEST_CASE("a rank that waits for a layer's experts in vain names the layer") {
  const std::string sentence = said_when_alone([](Communicator&, const auto& call_experts) { call_experts(); });
  CHECK(sentence.find("Rank 0 waited 0.2 s in calls of experts, layer decoder.1.ffn, update 3 (collective 1)") !=
        std::string::npos);
}

TEST_CASE("a collective that fails amid shared work is not waited for a second time") {
  const std::string sentence = said_when_alone(
      [](Communicator& ranks, const auto& call_experts) { on_all_ranks(ranks, "losses", call_experts); });
  CHECK(sentence.starts_with("Rank 0 waited 0.2 s in calls of experts"));  // not "Rank 0: Rank 0 waited"
}

TEST_CASE("a rank may ask for all experts' values while others compute") {
  const torch::Tensor all_ED = noise({5, 2}, 2);
  run_on_threads(3, 60, [&](Communicator& ranks) {
    ExpertExchange exchange(ranks);
    const Share owned = exchange.owned_of(5);
    const torch::Tensor mine_ED = all_ED.narrow(0, owned.first, owned.count()).clone();
    const std::int64_t layer = exchange.add_layer(
        {"layer", 5, {mine_ED}, [&](const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets) {
           return scaled(x_MD, offsets, mine_ED, owned.first);
         }});
    if (ranks.rank() == 1 && !exchange.whole(layer, 0).equal(all_ED)) throw std::runtime_error("wrong values");
    if (ranks.rank() == 2) exchange.forward(layer, noise({5, 2}, 3), {0, 1, 2, 3, 4, 5}, /*keep=*/false);
    exchange.settle();
  });
}

}  // namespace moe
