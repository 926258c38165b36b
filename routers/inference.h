#pragma once
// Ways to evaluate a router that draws its experts in training (random, thor): routers.md 0.17, 6 and 7.3.

#include "routers/router.h"

#include <cstdint>
#include <string>

namespace moe {

/// What the option names; of "fixed:E" with the expert E.
Inference inference_named(const std::string& inference);

/// What tokens share a draw: nothing, a sentence, a position of all sentences, the call.
enum class DrawFor { token, sentence, position, batch };

/// Adds an error unless `inference` is token, sentence, position_shared, mean, merged or fixed:E with E < experts.
void check_inference(const std::string& inference, std::int64_t experts, const std::string& path, ConfigErrors& errors);

/// True when the mode draws at random, so that one score is one sample.
bool is_stochastic(const std::string& inference);

/// Uniform draws of one expert for each valid token, [T, 1], -1 for padding.
torch::Tensor draw_experts(DrawFor granularity, std::int64_t experts, const RandomStream& stream, const Tokens& tokens);

/// The plan of a call at evaluation. `token`: a draw per (sentence, position); `sentence`: one per (layer, sentence),
/// held over all steps and beams; `position_shared`: one per position for the whole batch (the released THOR code);
/// `mean`: all experts with weight 1 / E; `merged`: one expert with the mean of their weights; `fixed:E`: always expert
/// E. Weight 1 elsewhere.
RoutingPlan inference_plan(const Inference& inference, std::int64_t experts, StreamTag tag,
                           const RouterContext& context, const Tokens& tokens, torch::Device device);

}  // namespace moe
