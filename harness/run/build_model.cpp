#include "harness/run/build_model.h"

#include "routers/inference.h"
#include "routers/registry.h"

#include <torch/types.h>

namespace moe {

std::shared_ptr<Transformer> build_model(const RunSpec& spec, const TokenCounts& counts) {
  const RouterEntry& entry = find_router(spec.strategy.router);
  const auto make_router = [&](const RouterContext& context) { return entry.make(spec.strategy.options, context); };
  return std::make_shared<Transformer>(spec.model, counts, static_cast<std::int64_t>(spec.data.directions.size()),
                                       static_cast<std::uint64_t>(spec.training.seed), make_router);
}

std::int64_t evaluation_draws(const RunSpec& spec) {
  const bool drawn = find_router(spec.strategy.router).drawn_evaluation &&
                     is_drawn(spec.strategy.options.value("inference", std::string()));
  return drawn ? spec.evaluation.draws : 1;
}

}  // namespace moe
