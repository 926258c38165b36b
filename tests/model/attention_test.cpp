#include "model/attention.h"

#include "model/initialisation.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

#include <torch/utils.h>

#include <cmath>
#include <limits>

// Legend: B sentences, T queries, S memory positions, D width, H heads, d = D / H.

namespace moe {
namespace {

constexpr std::int64_t width = 8, heads = 2, head = width / heads;
constexpr float infinity = std::numeric_limits<float>::infinity();

/// With biases that are not zero.
Attention make_attention() {
  Attention attention("test", width, heads, 1);
  const torch::NoGradGuard no_gradient;
  for (auto& item : attention.named_parameters()) {
    if (item.key().ends_with("bias"))
      item.value().copy_(uniform_parameter(item.value().sizes().vec(), 1, 3, item.key()));
  }
  return attention;
}

torch::Tensor states(std::int64_t rows, std::int64_t length, const char* name) {
  return 2 * normal_parameter({rows, length, width}, 1, 2, name);
}

/// One query, one head at a time, over positions whose mask is 0.
torch::Tensor slow_attention(Attention& attention, const torch::Tensor& x_TD, const torch::Tensor& memory_SD,
                             const std::function<bool(std::int64_t, std::int64_t)>& sees) {
  const auto parameters = attention.named_parameters();
  const torch::Tensor weight = parameters["input_weight"], bias = parameters["input_bias"];
  const auto project = [&](const torch::Tensor& x, std::int64_t part) {
    return x.mm(weight.narrow(0, part * width, width).t()) + bias.narrow(0, part * width, width);
  };
  const torch::Tensor query_TD = project(x_TD, 0), key_SD = project(memory_SD, 1), value_SD = project(memory_SD, 2);
  torch::Tensor attended_TD = torch::zeros({x_TD.size(0), width});
  for (std::int64_t t = 0; t < x_TD.size(0); ++t) {
    for (std::int64_t h = 0; h < heads; ++h) {
      double sum = 0;
      torch::Tensor mean_d = torch::zeros({head});
      for (std::int64_t s = 0; s < memory_SD.size(0); ++s) {
        if (!sees(t, s)) continue;
        const auto part = [&](const torch::Tensor& row) { return row.narrow(0, h * head, head); };
        const double score = part(query_TD[t]).dot(part(key_SD[s])).item<double>() / std::sqrt(head);
        sum += std::exp(score);
        mean_d += part(value_SD[s]) * std::exp(score);
      }
      attended_TD[t].narrow(0, h * head, head).copy_(mean_d / sum);
    }
  }
  return attended_TD.mm(parameters["output_weight"].t()) + parameters["output_bias"];
}

}  // namespace

TEST_CASE("self-attention is the weighted mean of what each query sees") {
  const torch::NoGradGuard no_gradient;
  Attention attention = make_attention();
  const torch::Tensor x_BTD = states(2, 5, "x");
  const torch::Tensor open_BTD = attention.self_attention(x_BTD, {}, false);
  const torch::Tensor causal_BTD = attention.self_attention(x_BTD, {}, true);
  torch::Tensor mask = torch::zeros({2, 1, 1, 5});
  mask[1].narrow(-1, 3, 2).fill_(-infinity);
  const torch::Tensor masked_BTD = attention.self_attention(x_BTD, mask, false);
  for (std::int64_t b = 0; b < 2; ++b) {
    const torch::Tensor x = x_BTD[b];
    const auto all = [](std::int64_t, std::int64_t) { return true; };
    CHECK(all_close(open_BTD[b], slow_attention(attention, x, x, all), 1e-5));
    CHECK(all_close(causal_BTD[b], slow_attention(attention, x, x, [](auto t, auto s) { return s <= t; }), 1e-5));
    CHECK(
        all_close(masked_BTD[b], slow_attention(attention, x, x, [&](auto, auto s) { return b == 0 || s < 3; }), 1e-5));
  }
}

TEST_CASE("cross-attention reads keys and values from the memory") {
  const torch::NoGradGuard no_gradient;
  Attention attention = make_attention();
  const torch::Tensor x_BTD = states(2, 3, "x");
  const torch::Tensor memory_BSD = states(2, 4, "memory");
  torch::Tensor mask = torch::zeros({2, 1, 1, 4});
  mask[0].narrow(-1, 1, 3).fill_(-infinity);
  const torch::Tensor crossed_BTD = attention.cross_attention(x_BTD, attention.project_memory(memory_BSD), mask);
  for (std::int64_t b = 0; b < 2; ++b) {
    const auto sees = [&](std::int64_t, std::int64_t s) { return b == 1 || s == 0; };
    CHECK(all_close(crossed_BTD[b], slow_attention(attention, x_BTD[b], memory_BSD[b], sees), 1e-5));
  }
}

TEST_CASE("step by step, self-attention gives what it gives for the whole sequence") {
  const torch::NoGradGuard no_gradient;
  Attention attention = make_attention();
  const torch::Tensor x_BTD = states(3, 6, "x");
  const torch::Tensor whole_BTD = attention.self_attention(x_BTD, {}, true);
  // The room is larger than the sequence, and holds rubbish.
  KvCache cache{torch::full({3, 9, heads * head}, 1e6), torch::full({3, 9, heads * head}, 1e6)};
  const torch::Tensor origin_RP = torch::arange(3).unsqueeze(1).expand({3, 9}).contiguous();
  for (std::int64_t position = 0; position < 6; ++position) {
    const torch::Tensor step_RD = attention.self_attention_step(x_BTD.select(1, position), cache, origin_RP, position);
    CHECK(all_close(step_RD, whole_BTD.select(1, position), 1e-5));
  }
}

}  // namespace moe
