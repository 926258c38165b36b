#include "harness/run/build_model.h"

#include "core/error.h"
#include "routers/inference.h"
#include "routers/registry.h"

#include <torch/types.h>

namespace moe {

std::shared_ptr<Transformer> build_model(const RunSpec& spec, const TokenCounts& counts, ExpertExchange* exchange) {
  const RouterEntry& entry = find_router(spec.strategy.router);
  const auto make_router = [&](const RouterContext& context) { return entry.make(spec.strategy.options, context); };
  return std::make_shared<Transformer>(spec.model, counts, static_cast<std::int64_t>(spec.data.directions.size()),
                                       static_cast<std::uint64_t>(spec.training.seed), make_router, exchange);
}

ParameterCount expected_parameters(const RunSpec& spec, const TokenCounts& counts) {
  const RouterEntry& entry = find_router(spec.strategy.router);
  const auto size_of_layer = [&](const RouterContext& context) -> MoeLayerSize {
    try {
      const MoeLayerSize size = size_of(*entry.make(spec.strategy.options, context));
      size.layout.hidden(spec.model.ffn);
      return size;
    } catch (const Error&) {
      return {.layout = {.count = spec.strategy.experts()}};
    }
  };
  return count_parameters(spec.model, counts, std::ssize(spec.data.directions),
                          static_cast<std::uint64_t>(spec.training.seed), size_of_layer);
}

std::int64_t evaluation_draws(const RunSpec& spec) {
  const bool drawn = find_router(spec.strategy.router).stochastic_evaluation &&
                     is_stochastic(spec.strategy.options.value("inference", std::string()));
  return drawn ? spec.evaluation.draws : 1;
}

}  // namespace moe
