// What ranks that share micro-batches gain: forward and backward of an MoE layer over 16,384 tokens in two
// micro-batches, by one rank and by two, each a thread, with the sum of the gradients. OMP_NUM_THREADS=1 gives each
// rank one core.
#include "bench/bench_main.h"
#include "bench/layer_tokens.h"
#include "model/initialisation.h"
#include "model/moe_layer.h"
#include "parallel/gradient_reduce.h"
#include "parallel/share_out.h"
#include "parallel/thread_communicator.h"

#include <torch/types.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>

namespace moe {
namespace {

constexpr std::int64_t hidden = 1024, all_tokens = 16384, micro_batches = 2;
constexpr double patience = 600;  ///< seconds

/// One rank's layer and its part of the work.
class RankOfLayer {
 public:
  RankOfLayer(const std::string& router, Communicator& ranks)
      : ranks_(ranks),
        layer_("layer", {layer_width, hidden, false},
               make_layer_router(find_router(router), router == "dense" ? Json::object() : Json{{"experts", 8}}), 1),
        tokens_(make_layer_tokens(all_tokens / micro_batches, Phase::train)),
        x_TD_(normal_parameter({all_tokens / micro_batches, layer_width}, 1, 1, "states").requires_grad_(true)),
        parameters_(layer_.parameters()) {
    const RoutingPlan plan = layer_.forward(x_TD_, tokens_).plan;
    for (std::size_t p = 0; p < parameters_.size(); ++p) add_ranges(p, plan.assignment);
  }

  void step() {
    const Share share = share_of(micro_batches, ranks_.rank(), ranks_.size());
    TreeSum<Gradients> sum;
    for (std::int64_t i = share.first; i < share.last; ++i) {
      layer_.forward(x_TD_, tokens_).y_TD.backward(x_TD_.detach());
      Gradients gradients;
      for (torch::Tensor& parameter : parameters_) {
        gradients.push_back(parameter.grad());
        parameter.mutable_grad().reset();
      }
      x_TD_.mutable_grad().reset();
      sum.push({i, 0}, std::move(gradients), add_gradients);
    }
    if (ranks_.size() > 1) {
      benchmark::DoNotOptimize(reduce_gradients(ranks_, sum.partials(), parameters_, ranges_));
    } else {
      benchmark::DoNotOptimize(sum.finish(add_gradients));
    }
  }

 private:
  /// As in training: of stacked experts those alone that have tokens, which are the same on both ranks here.
  void add_ranges(std::size_t p, const Assignment& assignment) {
    const auto stacked = layer_.expert_parameters();
    const bool is_stacked =
        std::any_of(stacked.begin(), stacked.end(), [&](const auto& tensor) { return tensor.is_same(parameters_[p]); });
    const std::int64_t experts = is_stacked ? assignment.experts() : 1, count = parameters_[p].numel() / experts;
    for (std::int64_t e = 0; e < experts; ++e) {
      if (!is_stacked || assignment.load(e) > 0) ranges_.push_back({p, e * count, count});
    }
  }

  Communicator& ranks_;
  MoeLayer layer_;
  Tokens tokens_;
  torch::Tensor x_TD_;
  std::vector<torch::Tensor> parameters_;
  std::vector<GradientRange> ranges_;
};

/// The first rank keeps the time; the others go on as long as it does.
void shared_step(benchmark::State& state, const std::string& router, int size) {
  run_on_threads(size, patience, [&](Communicator& ranks) {
    RankOfLayer layer(router, ranks);
    layer.step();  // the first one gets its memory from the system
    const auto is_on = [&](bool mine) { return any_rank(ranks, "another step", ranks.is_first() && mine); };
    if (!ranks.is_first()) {
      while (is_on(false)) layer.step();
      return;
    }
    for (auto _ : state) {
      is_on(true);
      layer.step();
    }
    is_on(false);
  });
}

}  // namespace

void register_all() {
  for (const std::string router : {"dense", "switch", "thor"}) {
    for (const int ranks : {1, 2}) {
      benchmark::RegisterBenchmark(fmt::format("{}/ranks:{}", router, ranks).c_str(),
                                   [=](benchmark::State& state) { shared_step(state, router, ranks); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace moe

int main(int argc, char** argv) {
  return moe::run_benchmarks(argc, argv, moe::register_all);
}
