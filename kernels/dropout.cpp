#include "kernels/dropout.h"

#include "core/error.h"
#include "core/random.h"
#include "kernels/cuda/row_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/scalar_type.h"
#include "kernels/simd/vector_math.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

// Element i takes the i-th group of 16 bits of the stream mix(key + 0), mix(key + 1), ... (four groups a word, lowest
// bits first) and stays when they are below the threshold.

namespace moe {
namespace {

constexpr std::int64_t block_elements = 256;  ///< elements whose bits are drawn at once
constexpr std::int64_t groups_per_word = 4;   ///< groups of 16 bits in a word

std::uint32_t keep_threshold(double rate) {
  return static_cast<std::uint32_t>(std::lround((1.0 - rate) * 65536.0));
}

double keep_scale(double rate) {
  return 65536.0 / static_cast<double>(keep_threshold(rate));
}

MOE_INLINE void draw_block(std::uint64_t first_word, std::array<std::uint16_t, block_elements>& bits) {
  std::array<std::uint64_t, block_elements / groups_per_word> words{};
  for (std::size_t j = 0; j < words.size(); ++j) words[j] = mix(first_word + j);
  std::memcpy(bits.data(), words.data(), sizeof(words));
}

/// At most a block of elements. `residual` may be null, and nothing else may overlap with `out`.
template <class Scalar>
MOE_INLINE void drop_elements(const Scalar* residual, const Scalar* x, Scalar* out, std::int64_t count,
                              std::uint64_t first_word, std::uint32_t threshold, Scalar scale) {
  std::array<std::uint16_t, block_elements> drawn{};
  draw_block(first_word, drawn);
  const std::uint16_t* bits = drawn.data();
  if (residual == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) out[i] = x[i] * (bits[i] < threshold ? scale : Scalar{0});
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) out[i] = residual[i] + x[i] * (bits[i] < threshold ? scale : Scalar{0});
  }
}

// Clones cannot be templates, so each type has its entry.
MOE_VECTOR_CLONES void drop_block(const float* residual, const float* x, float* out, std::int64_t count,
                                  std::uint64_t first_word, std::uint32_t threshold, float scale) {
  drop_elements(residual, x, out, count, first_word, threshold, scale);
}
void drop_block(const double* residual, const double* x, double* out, std::int64_t count, std::uint64_t first_word,
                std::uint32_t threshold, double scale) {
  drop_elements(residual, x, out, count, first_word, threshold, scale);
}

template <class Stored>
using Computed = std::conditional_t<std::is_same_v<Stored, c10::BFloat16>, float, Stored>;

/// A block as it is computed with: where it lies, or a copy. Null stays null.
template <class Stored>
const Computed<Stored>* read_block(const Stored* from, std::int64_t count,
                                   std::array<float, block_elements>& workspace) {
  if constexpr (std::is_same_v<Stored, c10::BFloat16>) {
    if (from == nullptr) return nullptr;
    widen_row(from, count, workspace.data());
    return workspace.data();
  } else {
    return from;
  }
}

/// `count` elements by one key, shared out between the threads; bfloat16 is computed in float32. `residual` may be
/// null.
template <class In, class Out>
void drop_part(const Out* residual, const In* x, Out* out, std::int64_t count, double rate, std::uint64_t key) {
  using Scalar = Computed<Out>;
  const std::uint32_t threshold = keep_threshold(rate);
  const auto scale = static_cast<Scalar>(keep_scale(rate));
  at::parallel_for(0, (count + block_elements - 1) / block_elements, 64, [&](std::int64_t begin, std::int64_t end) {
    std::array<float, block_elements> x_workspace{}, residual_workspace{}, out_workspace{};
    for (std::int64_t start = begin * block_elements; start < std::min(end * block_elements, count);
         start += block_elements) {
      const std::int64_t length = std::min(block_elements, count - start);
      const std::uint64_t word = key + static_cast<std::uint64_t>(start / groups_per_word);
      const Scalar* from = read_block(x + start, length, x_workspace);
      const Scalar* base = read_block(residual == nullptr ? nullptr : residual + start, length, residual_workspace);
      if constexpr (std::is_same_v<Out, Scalar>) {
        drop_block(base, from, out + start, length, word, threshold, scale);
      } else {
        drop_block(base, from, out_workspace.data(), length, word, threshold, scale);
        narrow_row(out_workspace.data(), length, out + start);
      }
    }
  });
}

/// Each part of x by its key. `residual` may be undefined, or has the type of `out`.
template <class In, class Out>
void drop_parts(const torch::Tensor& residual, const torch::Tensor& x, double rate, c10::ArrayRef<std::uint64_t> keys,
                torch::Tensor& out) {
  const auto* from = x.const_data_ptr<In>();
  const auto* base = data_or_null<const Out>(residual);
  auto* to = out.mutable_data_ptr<Out>();
  const std::int64_t part = x.numel() / static_cast<std::int64_t>(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::int64_t start = static_cast<std::int64_t>(i) * part;
    drop_part(base == nullptr ? nullptr : base + start, from + start, to + start, part, rate, keys[i]);
  }
}

using Keys = c10::ArrayRef<std::uint64_t>;

/// Each part of x by its key, on a GPU.
void drop_parts_on_gpu(const torch::Tensor& residual, const torch::Tensor& x, double rate, Keys keys,
                       torch::Tensor& out) {
  if constexpr (cuda::is_built) {
    cuda::DropPart part{.first = 0,
                        .count = x.numel() / static_cast<std::int64_t>(keys.size()),
                        .key = 0,
                        .threshold = keep_threshold(rate),
                        .scale = static_cast<float>(keep_scale(rate))};
    for (const std::uint64_t key : keys) {
      part.key = key;
      cuda::drop(residual, x, part, out);
      part.first += part.count;
    }
  }
}

/// Whether a mask is drawn where it is applied, and need not be kept.
bool draws_in_place(const torch::Tensor& x) {
  return x.is_cpu() || cuda::takes(x);
}

/// The same by tensor operations, for devices and types that the kernels do not reach. Autograd keeps the factors
/// there: to draw them again would take many small kernels.
torch::Tensor drop_by_tensors(const torch::Tensor& residual, const torch::Tensor& x, double rate, Keys keys) {
  RECORD_USER_SCOPE("dropout");
  const std::int64_t part = x.numel() / static_cast<std::int64_t>(keys.size());
  std::vector<torch::Tensor> factors;
  for (const std::uint64_t key : keys) factors.push_back(dropout_factors(part, rate, key, x.options()));
  const torch::Tensor dropped = x * torch::cat(factors).view_as(x);
  return residual.defined() ? residual + dropped : dropped;
}

/// residual (may be undefined) + x * mask as `type`, that of the residual, without autograd.
torch::Tensor drop_tensor(const torch::Tensor& residual, const torch::Tensor& x, torch::ScalarType type, double rate,
                          Keys keys) {
  RECORD_USER_SCOPE("dropout");
  const torch::Tensor input = x.contiguous();
  const torch::Tensor base = residual.defined() ? residual.contiguous() : residual;
  torch::Tensor out = torch::empty(input.sizes(), input.options().dtype(type));
  if (x.is_cuda()) {
    drop_parts_on_gpu(base, input, rate, keys, out);
    return out;
  }
  if (type == torch::kFloat64) {
    drop_parts<double, double>(base, input.to(type), rate, keys, out);
    return out;
  }
  with_type_of(input, [&](auto in) {
    with_type_of(out, [&](auto stored) { drop_parts<decltype(in), decltype(stored)>(base, input, rate, keys, out); });
  });
  return out;
}

class DropoutFunction : public torch::autograd::Function<DropoutFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const std::optional<torch::Tensor>& residual,
                               const torch::Tensor& x, double rate, const std::vector<std::int64_t>& keys) {
    context->saved_data["has_residual"] = residual.has_value();
    context->saved_data["type"] = x.scalar_type();
    context->saved_data["rate"] = rate;
    context->saved_data["keys"] = keys;
    return drop_tensor(residual.value_or(torch::Tensor()), x, residual ? residual->scalar_type() : x.scalar_type(),
                       rate, unsigned_keys(keys));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const double rate = context->saved_data["rate"].toDouble();
    const bool has_residual = context->saved_data["has_residual"].toBool();
    const std::vector<std::uint64_t> keys = unsigned_keys(context->saved_data["keys"].toIntVector());
    const torch::ScalarType type = context->saved_data["type"].toScalarType();
    return {has_residual ? gradient[0] : torch::Tensor(), drop_tensor({}, gradient[0], type, rate, keys),
            torch::Tensor(), torch::Tensor()};
  }

 private:
  static std::vector<std::uint64_t> unsigned_keys(const std::vector<std::int64_t>& keys) {
    return {keys.begin(), keys.end()};
  }
};

void check_keys(Keys keys, const torch::Tensor& x) {
  MOE_CHECK(!keys.empty() && x.size(0) % static_cast<std::int64_t>(keys.size()) == 0, "Dropout of {} rows by {} keys.",
            x.size(0), keys.size());
}

/// As autograd can save them.
std::vector<std::int64_t> signed_keys(Keys keys) {
  return {keys.begin(), keys.end()};
}

}  // namespace

torch::Tensor keyed_dropout(const torch::Tensor& x, double rate, Keys keys) {
  if (rate == 0) return x;
  check_keys(keys, x);
  if (!draws_in_place(x)) return drop_by_tensors({}, x, rate, keys);
  return DropoutFunction::apply(std::optional<torch::Tensor>(), x, rate, signed_keys(keys));
}

torch::Tensor residual_dropout(const torch::Tensor& residual, const torch::Tensor& x, double rate, Keys keys) {
  if (rate == 0) return residual + x;
  check_keys(keys, x);
  if (!draws_in_place(x)) return drop_by_tensors(residual, x.to(residual.scalar_type()), rate, keys);
  return DropoutFunction::apply(std::optional(residual), x, rate, signed_keys(keys));
}

torch::Tensor dropout_factors(std::int64_t count, double rate, std::uint64_t key, const torch::TensorOptions& options) {
  const auto constant = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  const auto shift_right = [](const torch::Tensor& value, int bits) {  // logical, on signed words
    return value.__rshift__(bits).bitwise_and((std::int64_t{1} << (64 - bits)) - 1);
  };
  torch::Tensor word =
      torch::arange((count + groups_per_word - 1) / groups_per_word, options.dtype(torch::kInt64).requires_grad(false));
  word = word + constant(key + 0x9e3779b97f4a7c15ULL);
  word = word.bitwise_xor(shift_right(word, 30)) * constant(0xbf58476d1ce4e5b9ULL);
  word = word.bitwise_xor(shift_right(word, 27)) * constant(0x94d049bb133111ebULL);
  word = word.bitwise_xor(shift_right(word, 31));
  // Four groups of 16 bits a word, as signed numbers: 32768 less than what they are without a sign.
  const torch::Tensor bits = word.bitwise_xor(constant(0x8000800080008000ULL)).view(torch::kInt16).narrow(0, 0, count);
  const torch::Tensor kept = bits <= static_cast<std::int64_t>(keep_threshold(rate)) - 32769;
  return kept.to(options.dtype()) * keep_scale(rate);
}

}  // namespace moe
