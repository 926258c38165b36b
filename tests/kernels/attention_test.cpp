#include "kernels/attention/attention.h"

#include "core/memory.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/memory.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

#include <torch/csrc/autograd/autograd.h>

#include <malloc.h>

#include <limits>

namespace moe {
namespace {

constexpr std::int64_t sentences = 3, heads = 2, width = 24;

/// By the formula, in float64, head by head. mask: [B, 1, 1, S]; a row without any key gives 0.
torch::Tensor attention_reference(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                                  const torch::Tensor& mask, bool causal) {
  const auto split = [](const torch::Tensor& x) {
    return x.to(torch::kFloat64).view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  torch::Tensor score =
      split(query).matmul(split(key).transpose(2, 3)) / std::sqrt(static_cast<double>(query.size(2)) / heads);
  if (mask.defined()) score = score + mask;
  if (causal) {
    const torch::Tensor hidden = torch::ones({score.size(2), score.size(3)}, torch::kBool).triu(1);
    score = score.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  }
  const torch::Tensor blind = (score == -std::numeric_limits<double>::infinity()).all(3, true);
  const torch::Tensor probability = score.masked_fill(blind, 0).softmax(3).masked_fill(blind, 0);
  return probability.matmul(split(value)).transpose(1, 2).flatten(2);
}

/// The last sentence is shorter, and nothing of the second is seen.
torch::Tensor some_mask(std::int64_t keys) {
  torch::Tensor mask = torch::zeros({sentences, 1, 1, keys});
  mask[2].narrow(2, keys / 2, keys - keys / 2).fill_(-std::numeric_limits<float>::infinity());
  mask[1].fill_(-std::numeric_limits<float>::infinity());
  return mask;
}

void check_same(const torch::Tensor& actual, const torch::Tensor& expected, const std::vector<torch::Tensor>& inputs,
                double tolerance) {
  CHECK(all_close(actual, expected, tolerance));
  const torch::Tensor upstream = noise(expected.sizes(), 9, torch::kFloat64);
  const auto ours = torch::autograd::grad({(actual * upstream).sum()}, inputs, {}, /*retain_graph=*/true);
  const auto theirs = torch::autograd::grad({(expected * upstream).sum()}, inputs, {}, /*retain_graph=*/true);
  for (std::size_t i = 0; i < inputs.size(); ++i) CHECK(all_close(ours[i], theirs[i], tolerance));
}

}  // namespace

TEST_CASE("attention of ours is for float32 and bfloat16") {
  CHECK(has_own_attention(torch::zeros({1})) == has_avx2());
  CHECK(has_own_attention(torch::zeros({1}, torch::kBFloat16)) == has_avx2());
  CHECK_FALSE(has_own_attention(torch::zeros({1}, torch::kFloat64)));
}

// Of heads that fill no vector, and of such that do, with scores of small products and of large ones.
TEST_CASE("self-attention and its gradients are the formula's") {
  if (!can_run(has_avx2)) return;
  for (const auto& [type, tolerance] : {std::pair(torch::kFloat32, 1e-5), std::pair(torch::kBFloat16, 0.1)}) {
    for (const auto& [length, all_heads] : {std::pair<std::int64_t, std::int64_t>{19, width}, {19, 32}, {200, 128}}) {
      for (const bool masked : {false, true}) {
        for (const bool causal : {false, true}) {
          CAPTURE(type, length, all_heads, masked, causal);
          const torch::Tensor qkv = noise({sentences, length, 3 * all_heads}, 0, type).requires_grad_(true);
          const torch::Tensor mask = masked ? some_mask(length) : torch::Tensor();
          const auto parts = qkv.chunk(3, 2);
          check_same(self_attention(qkv, heads, mask, causal),
                     attention_reference(parts[0], parts[1], parts[2], mask, causal), {qkv}, tolerance);
        }
      }
    }
  }
}

TEST_CASE("attention of a type that ours does not serve is LibTorch's, by the same formula") {
  const torch::Tensor qkv = noise({sentences, 9, 3 * width}, 1).to(torch::kFloat64).requires_grad_(true);
  CHECK_FALSE(has_own_attention(qkv));
  torch::Tensor mask = torch::zeros({sentences, 1, 1, 9});
  mask[2].narrow(2, 4, 5).fill_(-std::numeric_limits<float>::infinity());
  const auto parts = qkv.chunk(3, 2);
  check_same(self_attention(qkv, heads, mask, false), attention_reference(parts[0], parts[1], parts[2], mask, false),
             {qkv}, 1e-12);
  check_same(self_attention(qkv, heads, {}, true), attention_reference(parts[0], parts[1], parts[2], {}, true), {qkv},
             1e-12);
  const torch::Tensor query = noise({sentences, 4, width}, 2).to(torch::kFloat64).requires_grad_(true);
  const torch::Tensor memory = noise({sentences, 9, 2 * width}, 3).to(torch::kFloat64).requires_grad_(true);
  const auto memory_parts = memory.chunk(2, 2);
  check_same(cross_attention(query, memory, heads, mask),
             attention_reference(query, memory_parts[0], memory_parts[1], mask, false), {query, memory}, 1e-12);
}

TEST_CASE("cross-attention and its gradients are the formula's") {
  if (!can_run(has_avx2)) return;
  for (const auto& [type, tolerance] : {std::pair(torch::kFloat32, 1e-5), std::pair(torch::kBFloat16, 0.1)}) {
    const torch::Tensor query = noise({sentences, 7, width}, 0, type).requires_grad_(true);
    const torch::Tensor memory = noise({sentences, 70, 2 * width}, 1, type).requires_grad_(true);
    for (const torch::Tensor& mask : {torch::Tensor(), some_mask(70)}) {
      CAPTURE(type, mask.defined());
      const auto parts = memory.chunk(2, 2);
      check_same(cross_attention(query, memory, heads, mask),
                 attention_reference(query, parts[0], parts[1], mask, false), {query, memory}, tolerance);
    }
  }
}

TEST_CASE("attention stays finite on large scores") {
  if (!can_run(has_avx2)) return;
  const torch::Tensor qkv = (noise({1, 5, 3 * width}, 0) * 1000).requires_grad_(true);
  const torch::Tensor out = self_attention(qkv, heads, {}, true);
  out.sum().backward();
  CHECK(out.isfinite().all().item<bool>());
  CHECK(qkv.grad().isfinite().all().item<bool>());
}

// Every size of a block is a kernel that is compiled and kept, 20 KB each.
TEST_CASE("sentences of all lengths need few kernels of matrix products") {
  if (!can_measure_memory()) return;
  const WithThreads one(1);
  const auto attend = [](std::int64_t queries, std::int64_t keys) {
    const torch::Tensor query = torch::ones({1, queries, 256}).requires_grad_(true),
                        memory = torch::ones({1, keys, 512}).requires_grad_(true);
    cross_attention(query, memory, 4, torch::zeros({1, 1, 1, keys})).sum().backward();
  };
  mallopt(M_MMAP_THRESHOLD, 1 << 16);  // tensors that are freed give their memory back
  constexpr std::int64_t longest = 512;
  attend(longest, longest);
  const std::int64_t before = resident_bytes();
  for (std::int64_t i = 0; i < 800; ++i) attend(1 + i * 193 % longest, 1 + i * (i + 1) / 2 % longest);
  const std::int64_t grown = resident_bytes() - before;
  CAPTURE(grown);
  CHECK(grown < 45'000'000);
}

}  // namespace moe
