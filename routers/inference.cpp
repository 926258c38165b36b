#include "routers/inference.h"

#include "core/error.h"
#include "core/text.h"
#include "routers/choices.h"
#include "routers/streams.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace moe {
namespace {

using Mode = Inference::Mode;
constexpr auto modes = std::to_array<Choice<Mode>>({
    {"token", Mode::token},
    {"sentence", Mode::sentence},
    {"position_shared", Mode::position_shared},
    {"mean", Mode::mean},
    {"merged", Mode::merged},
});  // and fixed:E
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
  const std::vector<std::string> known = rule_names(modes);
  errors.check(std::find(known.begin(), known.end(), inference) != known.end(), path,
               fmt::format("\"{}\" is not known; allowed is one of {}, fixed:E.", inference, join(known, ", ")));
}

Inference inference_named(const std::string& inference) {
  if (!is_fixed(inference)) return {.mode = choice_named(modes, inference)};
  const std::optional<std::int64_t> expert = fixed_expert(inference);
  MOE_CHECK(expert, "\"{}\" names no expert.", inference);
  return {.mode = Mode::fixed, .expert = *expert};
}

bool is_stochastic(const std::string& inference) {
  return inference != "mean" && inference != "merged" && !is_fixed(inference);
}

torch::Tensor draw_experts(DrawFor granularity, std::int64_t experts, const RandomStream& stream,
                           const Tokens& tokens) {
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  const auto sentence = tokens.sentence_T.accessor<std::int64_t, 1>();
  const auto position = tokens.position_T.accessor<std::int64_t, 1>();
  const auto stream_of = [&](std::int64_t t) {
    switch (granularity) {
      case DrawFor::token:
        return token_stream(stream, tokens, t);
      case DrawFor::sentence:
        return stream.at(sentence[t]);
      case DrawFor::position:
        return stream.at(position[t]);
      case DrawFor::batch:
        break;
    }
    return stream;
  };
  torch::Tensor expert_T1 = torch::full({tokens.count(), 1}, -1, torch::kInt64);
  auto expert = expert_T1.accessor<std::int64_t, 2>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (valid[t]) expert[t][0] = stream_of(t).below(experts);
  }
  return expert_T1;
}

RoutingPlan inference_plan(const Inference& inference, std::int64_t experts, StreamTag tag,
                           const RouterContext& context, const Tokens& tokens, torch::Device device) {
  const auto drawn_for = [&](DrawFor granularity) {
    return make_plan(draw_experts(granularity, experts, call_stream(tag, context, tokens), tokens), {}, {}, experts,
                     device);
  };
  switch (inference.mode) {
    case Mode::token:
      return drawn_for(DrawFor::token);
    case Mode::sentence:
      return drawn_for(DrawFor::sentence);
    case Mode::position_shared:
      return drawn_for(DrawFor::position);
    case Mode::mean:
      return mean_plan(experts, tokens, device);
    case Mode::merged: {
      RoutingPlan plan = make_plan(all_to(0, tokens), {}, {}, 1, device);
      plan.io.merged = true;
      return plan;
    }
    case Mode::fixed:
      break;
  }
  return make_plan(all_to(inference.expert, tokens), {}, {}, experts, device);
}

}  // namespace moe
