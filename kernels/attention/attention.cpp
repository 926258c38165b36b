#include "kernels/attention/attention.h"

#include "kernels/attention/library_attention.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/pack.h"
#include "kernels/gemm/select.h"
#include "kernels/gemm/small_gemm.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/scalar_type.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

// The numbers that products multiply are float32, or bfloat16 where gemm multiplies pairs of them: then probabilities
// and gradients of scores are rounded, as LibTorch's attention does.
//
// Legend: B sentences, T queries, S keys, D width, d width of a head.

namespace moe {
namespace {

using c10::BFloat16;
using torch::Tensor;

/// Of one head: its scores, [S, T], and how they become probabilities. Queries lie side by side in whole vectors, so
/// that maxima and sums over keys are taken for 16 of them at once; what stands behind the last query is computed, and
/// of no use.
struct Scores {
  std::int64_t queries, keys;
  float scale;
  const float* mask;  ///< [keys], 0 or -inf
  const float* edge;  ///< stride() times -inf, then as many zeros
  bool causal;

  std::int64_t stride() const { return round_up(queries, vector_floats); }
  std::int64_t floats() const { return keys * stride(); }
  /// From here on, in whole vectors, queries see the key.
  std::int64_t first_query(std::int64_t key) const { return causal ? key / vector_floats * vector_floats : 0; }
  /// What keeps queries from seeing the key: 0 or -inf for each.
  const float* edge_of(std::int64_t key) const { return edge + stride() - (causal ? key : 0); }
  template <class Number>
  BasicMatrixView<Number> view(const Number* scores) const {
    return {scores, keys, queries, stride()};
  }
};

/// Scores to probabilities. For each query: the `maximum` of its scores, and the `factor` that made their exponentials
/// probabilities; both 0 if it sees nothing.
MOE_VECTOR_CLONES void softmax(const Scores& scores, float* score, float* maximum, float* factor) {
  const std::int64_t end = scores.stride();
  const float scale = scores.scale;
  std::fill_n(maximum, end, -infinity);
  for (std::int64_t s = 0; s < scores.keys; ++s) {
    float* row = score + s * end;
    const float* edge = scores.edge_of(s);
    const float mask = scores.mask[s];
#pragma omp simd
    for (std::int64_t t = scores.first_query(s); t < end; ++t) {
      row[t] = row[t] * scale + mask + edge[t];
      maximum[t] = row[t] > maximum[t] ? row[t] : maximum[t];
    }
  }
#pragma omp simd
  for (std::int64_t t = 0; t < end; ++t) maximum[t] = maximum[t] == -infinity ? 0.0F : maximum[t];
  std::fill_n(factor, end, 0.0F);
  for (std::int64_t s = 0; s < scores.keys; ++s) {
    float* row = score + s * end;
#pragma omp simd
    for (std::int64_t t = scores.first_query(s); t < end; ++t) {
      row[t] = exp_nonpositive(row[t] - maximum[t]);
      factor[t] += row[t];
    }
  }
#pragma omp simd
  for (std::int64_t t = 0; t < end; ++t) factor[t] = factor[t] > 0 ? 1.0F / factor[t] : 0.0F;
  for (std::int64_t s = 0; s < scores.keys; ++s) {
    float* row = score + s * end;
    std::fill_n(row, scores.first_query(s), 0.0F);
#pragma omp simd
    for (std::int64_t t = scores.first_query(s); t < end; ++t) row[t] *= factor[t];
  }
}

/// Scores to probabilities again, and gradients of probabilities to gradients of scores. `mean`: workspace for
/// stride().
MOE_VECTOR_CLONES void softmax_backward(const Scores& scores, const float* maximum, const float* factor, float* mean,
                                        float* score, float* gradient) {
  const std::int64_t end = scores.stride();
  const float scale = scores.scale;
  std::fill_n(mean, end, 0.0F);
  for (std::int64_t s = 0; s < scores.keys; ++s) {
    float* row = score + s * end;
    const float* grad = gradient + s * end;
    const float* edge = scores.edge_of(s);
    const float mask = scores.mask[s];
#pragma omp simd
    for (std::int64_t t = scores.first_query(s); t < end; ++t) {
      row[t] = exp_nonpositive(row[t] * scale + mask + edge[t] - maximum[t]) * factor[t];
      mean[t] += row[t] * grad[t];
    }
  }
  for (std::int64_t s = 0; s < scores.keys; ++s) {
    float* row = score + s * end;
    float* grad = gradient + s * end;
    std::fill_n(row, scores.first_query(s), 0.0F);
    std::fill_n(grad, scores.first_query(s), 0.0F);
#pragma omp simd
    for (std::int64_t t = scores.first_query(s); t < end; ++t) grad[t] = row[t] * (grad[t] - mean[t]) * scale;
  }
}

/// One side of all heads: the rows of a part of a projection, for reading or writing.
template <class Scalar>
struct Part {
  Scalar* data;
  std::int64_t rows, row_stride;

  Part(Scalar* first, std::int64_t row_count, std::int64_t stride) : data(first), rows(row_count), row_stride(stride) {}

  Scalar* head(std::int64_t sentence, std::int64_t head, std::int64_t width) const {
    return data + sentence * rows * row_stride + head * width;
  }
};

/// A thread's memory, handed out piece by piece.
class Pieces {
 public:
  Pieces(Workspace& workspace, std::int64_t floats) : next_(workspace.reserve(floats)) {}
  float* take(std::int64_t floats) { return std::exchange(next_, next_ + floats); }

 private:
  float* next_;
};

/// A head's rows as Numbers: where they lie, or a copy in float32.
template <class Number, class Scalar>
BasicMatrixView<Number> read_head(const Part<const Scalar>& part, std::int64_t sentence, std::int64_t head,
                                  std::int64_t width, Pieces& pieces) {
  const Scalar* from = part.head(sentence, head, width);
  if constexpr (std::is_same_v<Scalar, Number>) {
    return {from, part.rows, width, part.row_stride};
  } else {
    float* copy = pieces.take(part.rows * width);
    widen_rows(from, part.row_stride, part.rows, width, copy);
    return row_major(copy, part.rows, width);
  }
}

/// What blocks are padded to: every length of a sentence would be kernels of its own, for each product.
constexpr BlockMultiples length_multiples{8, 16};

/// c = a b.
void multiply(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride) {
  const bool is_small = takes_small_gemm(a.rows, b.rows, b.columns);
  is_small ? small_gemm(a, b, c, c_row_stride) : gemm<float>(a, b, c, c_row_stride, {}, length_multiples);
}

/// A product into a head's rows.
void write_head(const Bf16View& a, const Bf16View& b, const Part<BFloat16>& part, std::int64_t sentence,
                std::int64_t head, float*) {
  gemm<BFloat16>(a, b, part.head(sentence, head, b.columns), part.row_stride, {}, length_multiples);
}

template <class Scalar>
void write_head(const MatrixView& a, const MatrixView& b, const Part<Scalar>& part, std::int64_t sentence,
                std::int64_t head, float* workspace) {
  const std::int64_t width = b.columns;
  Scalar* to = part.head(sentence, head, width);
  if constexpr (std::is_same_v<Scalar, float>) {
    multiply(a, b, to, part.row_stride);
  } else {
    multiply(a, b, workspace, width);
    narrow_rows(workspace, width, part.rows, width, to, part.row_stride);
  }
}

/// What forward and backward share: sizes, and where queries, keys and values lie.
struct Problem {
  std::int64_t sentences, queries, keys, heads, width, query_stride, memory_stride;
  const float* mask;
  bool causal;
  std::vector<float> edge, no_mask;

  Problem(const Tensor& query, const Tensor& memory, std::int64_t head_count, const Tensor& mask_B11S, bool is_causal)
      : sentences(query.size(0)),
        queries(query.size(1)),
        keys(memory.defined() ? memory.size(1) : query.size(1)),
        heads(head_count),
        width(memory.defined() ? query.size(2) : query.size(2) / 3),
        query_stride(query.size(2)),
        memory_stride(memory.defined() ? memory.size(2) : query.size(2)),
        mask(mask_B11S.defined() ? mask_B11S.const_data_ptr<float>() : nullptr),
        causal(is_causal),
        edge(static_cast<std::size_t>(2 * round_up(queries, vector_floats)), 0.0F),
        no_mask(static_cast<std::size_t>(mask == nullptr ? keys : 0), 0.0F) {
    std::fill_n(edge.begin(), edge.size() / 2, -infinity);
  }

  std::int64_t head_width() const { return width / heads; }
  /// Of a head, that are kept for the way back.
  std::int64_t statistics() const { return 2 * round_up(queries, vector_floats); }
  Scores scores(std::int64_t sentence) const {
    return {queries,
            keys,
            1.0F / std::sqrt(static_cast<float>(head_width())),
            mask == nullptr ? no_mask.data() : mask + sentence * keys,
            edge.data(),
            causal};
  }

  /// Queries, keys and values, or their gradients. `memory` is null when all stand in `query`.
  template <class Scalar>
  std::array<Part<Scalar>, 3> parts(Scalar* query, Scalar* memory) const {
    Scalar* key = memory == nullptr ? query + width : memory;
    return {Part<Scalar>(query, queries, query_stride), Part<Scalar>(key, keys, memory_stride),
            Part<Scalar>(key + width, keys, memory_stride)};
  }

  /// Calls work(sentence, head) for all, shared out between the threads.
  template <class Work>
  void for_each_head(Work work) const {
    at::parallel_for(0, sentences * heads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) work(i / heads, i % heads);
    });
  }
};

/// a b^T, [S, T]: b is laid with its rows side by side into `workspace`, d * stride().
void multiply(const Scores& scores, const MatrixView& a, const MatrixView& b, float* workspace, float* out) {
  pack_columns(b.transposed(), b.columns, scores.stride(), workspace);
  multiply(a, row_major(workspace, b.columns, scores.stride()), out, scores.stride());
}

void multiply(const Scores& scores, const Bf16View& a, const Bf16View& b, float*, float* out) {
  gemm<BFloat16>(a, b.transposed(), out, scores.stride(), {}, length_multiples);
  for (std::int64_t s = 0; s < scores.keys; ++s) {
    std::fill(out + s * scores.stride() + scores.queries, out + (s + 1) * scores.stride(), 0.0F);
  }
}

/// Workspace for a head's scores as Numbers.
template <class Number>
std::int64_t operand_floats(const Scores& scores) {
  return std::is_same_v<Number, float> ? 0 : scores.floats() / 2;
}

template <class Number>
BasicMatrixView<Number> operand(const Scores& scores, const float* values, Pieces& pieces) {
  if constexpr (std::is_same_v<Number, float>) {
    return scores.view(values);
  } else {
    auto* rounded = reinterpret_cast<Number*>(pieces.take(operand_floats<Number>(scores)));
    narrow_row(values, scores.floats(), rounded);
    return scores.view<Number>(rounded);
  }
}

template <class Number, class Scalar>
void attend(const Problem& problem, const std::array<Part<const Scalar>, 3>& in, const Part<Scalar>& out,
            float* statistics_BH) {
  const std::int64_t T = problem.queries, S = problem.keys, d = problem.head_width();
  problem.for_each_head([&](std::int64_t b, std::int64_t h) {
    thread_local Workspace workspace;
    const Scores scores = problem.scores(b);
    Pieces pieces(workspace,
                  scores.floats() + operand_floats<Number>(scores) + scores.stride() * d + (2 * T + 2 * S) * d);
    float* probability = pieces.take(scores.floats());
    float* transposed = pieces.take(scores.stride() * d);
    float* maximum = statistics_BH + (b * problem.heads + h) * problem.statistics();
    const auto query = read_head<Number>(in[0], b, h, d, pieces), key = read_head<Number>(in[1], b, h, d, pieces),
               value = read_head<Number>(in[2], b, h, d, pieces);
    multiply(scores, key, query, transposed, probability);
    softmax(scores, probability, maximum, maximum + scores.stride());
    write_head(operand<Number>(scores, probability, pieces).transposed(), value, out, b, h, pieces.take(T * d));
  });
}

template <class Number, class Scalar>
void attend_backward(const Problem& problem, const std::array<Part<const Scalar>, 3>& in,
                     const Part<const Scalar>& grad_out, const float* statistics_BH,
                     const std::array<Part<Scalar>, 3>& grad_in) {
  const std::int64_t T = problem.queries, S = problem.keys, d = problem.head_width();
  problem.for_each_head([&](std::int64_t b, std::int64_t h) {
    thread_local Workspace workspace;
    const Scores scores = problem.scores(b);
    Pieces pieces(workspace, 2 * (scores.floats() + operand_floats<Number>(scores)) + scores.stride() * (d + 1) +
                                 (2 * T + 2 * S + std::max(T, S)) * d);
    float* probability = pieces.take(scores.floats());
    float* gradient = pieces.take(scores.floats());
    float* transposed = pieces.take(scores.stride() * d);
    float* mean = pieces.take(scores.stride());
    const float* maximum = statistics_BH + (b * problem.heads + h) * problem.statistics();
    const auto query = read_head<Number>(in[0], b, h, d, pieces), key = read_head<Number>(in[1], b, h, d, pieces),
               value = read_head<Number>(in[2], b, h, d, pieces), grad = read_head<Number>(grad_out, b, h, d, pieces);
    multiply(scores, key, query, transposed, probability);
    multiply(scores, value, grad, transposed, gradient);
    softmax_backward(scores, maximum, maximum + scores.stride(), mean, probability, gradient);
    float* rows = pieces.take(std::max(T, S) * d);
    const auto grad_score = operand<Number>(scores, gradient, pieces);
    write_head(grad_score.transposed(), key, grad_in[0], b, h, rows);
    write_head(grad_score, query, grad_in[1], b, h, rows);
    write_head(operand<Number>(scores, probability, pieces), grad, grad_in[2], b, h, rows);
  });
}

/// Calls work(Scalar{}, Number{}) with the tensor's type and that of the numbers to multiply.
template <class Work>
void with_types(const Tensor& tensor, Work work) {
  with_type_of(tensor,
               [&](auto scalar) { with_numbers_of<decltype(scalar)>([&](auto number) { work(scalar, number); }); });
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& query,
                        const std::optional<Tensor>& optional_memory, const std::optional<Tensor>& optional_mask,
                        std::int64_t heads, bool causal) {
    RECORD_USER_SCOPE("attention");
    const Tensor memory = optional_memory.value_or(Tensor()), mask = optional_mask.value_or(Tensor());
    const Problem problem(query, memory, heads, mask, causal);
    Tensor out = torch::empty({problem.sentences, problem.queries, problem.width}, query.options());
    Tensor statistics =
        torch::empty({problem.sentences, heads, problem.statistics()}, query.options().dtype(torch::kFloat32));
    with_types(query, [&](auto scalar, auto number) {
      using Scalar = decltype(scalar);
      attend<decltype(number), Scalar>(
          problem, problem.parts(data_or_null<const Scalar>(query), data_or_null<const Scalar>(memory)),
          {out.data_ptr<Scalar>(), problem.queries, problem.width}, statistics.data_ptr<float>());
    });
    context->save_for_backward({query, memory, mask, statistics});
    context->saved_data["heads"] = heads;
    context->saved_data["causal"] = causal;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    RECORD_USER_SCOPE("attention");
    const auto saved = context->get_saved_variables();
    const Tensor &query = saved[0], &memory = saved[1], &mask = saved[2], &statistics = saved[3];
    const Problem problem(query, memory, context->saved_data["heads"].toInt(), mask,
                          context->saved_data["causal"].toBool());
    const Tensor grad_out = gradient[0].contiguous();
    const Tensor grad_query = torch::empty_like(query);
    const Tensor grad_memory = memory.defined() ? torch::empty_like(memory) : Tensor();
    with_types(query, [&](auto scalar, auto number) {
      using Scalar = decltype(scalar);
      attend_backward<decltype(number), Scalar>(
          problem, problem.parts(data_or_null<const Scalar>(query), data_or_null<const Scalar>(memory)),
          {grad_out.const_data_ptr<Scalar>(), problem.queries, problem.width}, statistics.const_data_ptr<float>(),
          problem.parts(data_or_null<Scalar>(grad_query), data_or_null<Scalar>(grad_memory)));
    });
    return {grad_query, grad_memory, Tensor(), Tensor(), Tensor()};
  }
};

Tensor apply(const Tensor& query, const Tensor& memory, std::int64_t heads, const Tensor& mask, bool causal) {
  const auto optional = [](const Tensor& tensor) {
    return tensor.defined() ? std::optional(tensor.contiguous()) : std::nullopt;
  };
  return AttentionFunction::apply(query.contiguous(), optional(memory),
                                  mask.defined() ? optional(mask.to(torch::kFloat32)) : std::nullopt, heads, causal);
}

}  // namespace

bool has_own_attention(const Tensor& projected) {
  return projected.is_cpu() && products_of(projected.scalar_type()).one_thread != Product::library;
}

Tensor self_attention(const Tensor& qkv, std::int64_t heads, const Tensor& mask, bool causal) {
  if (!has_own_attention(qkv)) return library_self_attention(qkv, heads, mask, causal);
  return apply(qkv, {}, heads, mask, causal);
}

Tensor cross_attention(const Tensor& query, const Tensor& key_value, std::int64_t heads, const Tensor& mask) {
  if (!has_own_attention(query)) return library_cross_attention(query, key_value, heads, mask);
  return apply(query, key_value, heads, mask, /*causal=*/false);
}

}  // namespace moe
