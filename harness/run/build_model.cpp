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

namespace {

/// Of one MoE layer of the run; of a layer without parameters that chooses one expert where its router cannot be made.
MoeLayerSize size_of_layer(const RunSpec& spec, const RouterContext& context) {
  try {
    const MoeLayerSize size = size_of(*find_router(spec.strategy.router).make(spec.strategy.options, context));
    size.layout.hidden(spec.model.ffn);
    return size;
  } catch (const Error&) {
    return {.layout = {.count = spec.strategy.experts()}};
  }
}

}  // namespace

ParameterCount expected_parameters(const RunSpec& spec, const TokenCounts& counts) {
  return count_parameters(spec.model, counts, std::ssize(spec.data.directions),
                          static_cast<std::uint64_t>(spec.training.seed),
                          [&](const RouterContext& context) { return size_of_layer(spec, context); });
}

ExpertLayout expected_layout(const RunSpec& spec) {
  RouterContext context{.width = spec.model.width};
  context.token_counts.assign(static_cast<std::size_t>(spec.data.vocabulary), 1);
  context.directions = std::ssize(spec.data.directions);
  return size_of_layer(spec, context).layout;
}

std::int64_t evaluation_draws(const RunSpec& spec) {
  const bool drawn = find_router(spec.strategy.router).stochastic_evaluation &&
                     is_stochastic(spec.strategy.options.value("inference", std::string()));
  return drawn ? spec.evaluation.draws : 1;
}

}  // namespace moe
