#include "routers/inference.h"

#include "core/error.h"
#include "core/text.h"
#include "routers/streams.h"

#include <torch/types.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace moe {
namespace {

constexpr std::string_view fixed_prefix = "fixed:";

bool is_fixed(const std::string& inference) {
  return inference.starts_with(fixed_prefix);
}

/// The expert that `fixed:E` names; none for another mode, or when E is no whole number.
std::optional<std::int64_t> fixed_expert(const std::string& inference) {
  if (!is_fixed(inference)) return std::nullopt;
  const char* const first = inference.data() + fixed_prefix.size();
  const char* const last = inference.data() + inference.size();
  std::int64_t expert = 0;
  const auto [end, error] = std::from_chars(first, last, expert);
  if (error != std::errc{} || end != last) return std::nullopt;
  return expert;
}

RoutingPlan mean_plan(std::int64_t experts, const Tokens& tokens, torch::Device device) {
  const torch::Tensor expert_TE = torch::arange(experts)
                                      .expand({tokens.count(), experts})
                                      .masked_fill(tokens.valid_T.logical_not().unsqueeze(1), -1);
  const torch::Tensor weight_TE =
      torch::full({tokens.count(), experts}, 1.0 / static_cast<double>(experts), torch::device(device));
  return make_plan(expert_TE, {}, weight_TE, experts, device);
}

}  // namespace

void check_inference(const std::string& inference, std::int64_t experts, const std::string& path,
                     ConfigErrors& errors) {
  if (is_fixed(inference)) {
    const std::optional<std::int64_t> expert = fixed_expert(inference);
    errors.check(expert && *expert >= 0 && *expert < experts, path,
                 fmt::format("\"{}\" names no expert; with {} experts, allowed is fixed:0 to fixed:{}.", inference,
                             experts, experts - 1));
    return;
  }
  const std::vector<std::string> known = {"token", "sentence", "position_shared", "mean", "merged"};
  errors.check(std::find(known.begin(), known.end(), inference) != known.end(), path,
               fmt::format("\"{}\" is not known; allowed is one of {}, fixed:E.", inference, join(known, ", ")));
}

bool is_drawn(const std::string& inference) {
  return inference != "mean" && inference != "merged" && !is_fixed(inference);
}

torch::Tensor draw_experts(const std::string& granularity, std::int64_t experts, const RandomStream& stream,
                           const Tokens& tokens) {
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  const auto sentence = tokens.sentence_T.accessor<std::int64_t, 1>();
  const auto position = tokens.position_T.accessor<std::int64_t, 1>();
  const auto stream_of = [&](std::int64_t t) {
    if (granularity == "token") return token_stream(stream, tokens, t);
    if (granularity == "sentence") return stream.at(sentence[t]);
    if (granularity == "position_shared") return stream.at(position[t]);
    return stream;
  };
  torch::Tensor expert_T1 = torch::full({tokens.count(), 1}, -1, torch::kInt64);
  auto expert = expert_T1.accessor<std::int64_t, 2>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (valid[t]) expert[t][0] = stream_of(t).below(experts);
  }
  return expert_T1;
}

RoutingPlan inference_plan(const std::string& inference, std::int64_t experts, StreamTag tag,
                           const RouterContext& context, const Tokens& tokens, torch::Device device) {
  if (inference == "mean") return mean_plan(experts, tokens, device);
  if (inference == "merged") {
    RoutingPlan plan = make_plan(all_to(0, tokens), {}, {}, 1, device);
    plan.io.merged = true;
    return plan;
  }
  const std::optional<std::int64_t> fixed = fixed_expert(inference);
  const torch::Tensor expert_T1 =
      fixed ? all_to(*fixed, tokens) : draw_experts(inference, experts, call_stream(tag, context, tokens), tokens);
  return make_plan(expert_T1, {}, {}, experts, device);
}

}  // namespace moe
