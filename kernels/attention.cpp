#include "kernels/attention.h"

#include "kernels/bf16_rows.h"
#include "kernels/matrix_product.h"
#include "kernels/room.h"
#include "kernels/scalar_type.h"
#include "kernels/vector_math.h"

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

// Legend: B sentences, T queries, S keys, D width, d width of a head.

namespace moe {
namespace {

using torch::Tensor;

constexpr float infinity = std::numeric_limits<float>::infinity();

constexpr std::int64_t whole_vectors(std::int64_t count) {
  constexpr std::int64_t lanes = 16;  // floats in a vector
  return (count + lanes - 1) / lanes * lanes;
}

/// A head's scores, [T, S], and how they become probabilities. Rows start whole vectors apart, with zeros behind the
/// scores, and loops go over whole vectors without a condition: rows are short, and remainders would cost more than all
/// else.
struct Scores {
  std::int64_t queries, keys;
  float scale;
  const float* mask;  ///< [stride()], 0 or -inf
  const float* edge;  ///< stride() zeros, then as many -inf
  bool causal;

  std::int64_t stride() const { return whole_vectors(keys); }
  std::int64_t seen_by(std::int64_t query) const { return causal ? query + 1 : keys; }
  MatrixView view(const float* row) const { return {row, queries, keys, stride()}; }

  /// a b^T, [T, S], with zeros behind.
  void multiply(const MatrixView& a, const MatrixView& b, float* out) const {
    matrix_product(a, b.transposed(), out, stride());
    for (std::int64_t t = 0; t < queries; ++t) std::fill(out + t * stride() + keys, out + (t + 1) * stride(), 0.0F);
  }
};

/// Scores to probabilities, and the logarithm of each row's sum: infinite for a row that sees nothing.
MOE_VECTOR_CLONES void softmax_rows(const Scores& scores, float* row, float* logsumexp) {
  const float* mask = scores.mask;
  const float scale = scores.scale;
  for (std::int64_t t = 0; t < scores.queries; ++t, row += scores.stride()) {
    const std::int64_t seen = scores.seen_by(t), end = whole_vectors(seen);
    const float* edge = scores.edge + scores.stride() - seen;
    float maximum = -infinity;
#pragma omp simd reduction(max : maximum)
    for (std::int64_t s = 0; s < end; ++s) {
      row[s] = row[s] * scale + mask[s] + edge[s];
      maximum = row[s] > maximum ? row[s] : maximum;
    }
    const float finite = maximum == -infinity ? 0.0F : maximum;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t s = 0; s < end; ++s) {
      row[s] = exp_nonpositive(row[s] - finite);
      sum += row[s];
    }
    const float factor = sum > 0 ? 1.0F / sum : 0.0F;
#pragma omp simd
    for (std::int64_t s = 0; s < end; ++s) row[s] *= factor;
    std::fill(row + end, row + scores.stride(), 0.0F);
    logsumexp[t] = sum > 0 ? finite + std::log(sum) : infinity;
  }
}

/// Scores to probabilities again, and gradients of probabilities to gradients of scores. `mean`: [T], of the gradients.
MOE_VECTOR_CLONES void softmax_rows_backward(const Scores& scores, const float* logsumexp, const float* mean,
                                             float* row, float* gradient) {
  const float* mask = scores.mask;
  const float scale = scores.scale;
  for (std::int64_t t = 0; t < scores.queries; ++t, row += scores.stride(), gradient += scores.stride()) {
    const std::int64_t seen = scores.seen_by(t), end = whole_vectors(seen);
    const float* edge = scores.edge + scores.stride() - seen;
    const float lse = logsumexp[t], mean_gradient = mean[t];
#pragma omp simd
    for (std::int64_t s = 0; s < end; ++s) {
      const float log_probability = row[s] * scale + mask[s] + edge[s] - lse;
      row[s] = exp_nonpositive(log_probability > 0 ? 0.0F : log_probability);
      gradient[s] = row[s] * (gradient[s] - mean_gradient) * scale;
    }
    std::fill(row + end, row + scores.stride(), 0.0F);
    std::fill(gradient + end, gradient + scores.stride(), 0.0F);
  }
}

MOE_VECTOR_CLONES float dot(const float* a, const float* b, std::int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
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
  Pieces(Room& room, std::int64_t floats) : next_(room.take(floats)) {}
  float* take(std::int64_t floats) { return std::exchange(next_, next_ + floats); }

 private:
  float* next_;
};

/// A head's rows as float32: where they lie, or a copy.
template <class Scalar>
MatrixView read_head(const Part<const Scalar>& part, std::int64_t sentence, std::int64_t head, std::int64_t width,
                     Pieces& pieces) {
  const Scalar* from = part.head(sentence, head, width);
  if constexpr (std::is_same_v<Scalar, float>) {
    return {from, part.rows, width, part.row_stride};
  } else {
    float* copy = pieces.take(part.rows * width);
    for (std::int64_t r = 0; r < part.rows; ++r) widen_row(from + r * part.row_stride, width, copy + r * width);
    return row_major(copy, part.rows, width);
  }
}

/// A product into a head's rows.
template <class Scalar>
void write_head(const MatrixView& a, const MatrixView& b, const Part<Scalar>& part, std::int64_t sentence,
                std::int64_t head, float* room) {
  const std::int64_t width = b.columns;
  Scalar* to = part.head(sentence, head, width);
  if constexpr (std::is_same_v<Scalar, float>) {
    matrix_product(a, b, to, part.row_stride);
  } else {
    matrix_product(a, b, room, width);
    for (std::int64_t r = 0; r < part.rows; ++r) narrow_row(room + r * width, width, to + r * part.row_stride);
  }
}

/// What forward and backward share: sizes, and where queries, keys and values lie.
struct Problem {
  std::int64_t sentences, queries, keys, heads, width, query_stride, memory_stride;
  const float* mask;
  bool causal;

  Problem(const Tensor& query, const Tensor& memory, std::int64_t head_count, const Tensor& mask_B11S, bool is_causal)
      : sentences(query.size(0)),
        queries(query.size(1)),
        keys(memory.defined() ? memory.size(1) : query.size(1)),
        heads(head_count),
        width(memory.defined() ? query.size(2) : query.size(2) / 3),
        query_stride(query.size(2)),
        memory_stride(memory.defined() ? memory.size(2) : query.size(2)),
        mask(mask_B11S.defined() ? mask_B11S.const_data_ptr<float>() : nullptr),
        causal(is_causal) {}

  std::int64_t head_width() const { return width / heads; }
  std::int64_t score_floats() const { return queries * whole_vectors(keys); }
  std::int64_t mask_floats() const { return 3 * whole_vectors(keys); }
  /// `room`: mask_floats().
  Scores scores(std::int64_t sentence, float* room) const {
    const std::int64_t stride = whole_vectors(keys);
    std::fill_n(room, 2 * stride, 0.0F);
    std::fill_n(room + 2 * stride, stride, -infinity);
    if (mask != nullptr) std::copy_n(mask + sentence * keys, keys, room);
    return {queries, keys, 1.0F / std::sqrt(static_cast<float>(head_width())), room, room + stride, causal};
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

template <class Scalar>
void attend(const Problem& problem, const std::array<Part<const Scalar>, 3>& in, const Part<Scalar>& out,
            float* logsumexp_BHT) {
  const std::int64_t T = problem.queries, S = problem.keys, d = problem.head_width();
  problem.for_each_head([&](std::int64_t b, std::int64_t h) {
    thread_local Room room;
    Pieces pieces(room, problem.mask_floats() + problem.score_floats() + (2 * T + 2 * S) * d);
    const Scores scores = problem.scores(b, pieces.take(problem.mask_floats()));
    float* probability = pieces.take(problem.score_floats());
    const MatrixView query = read_head(in[0], b, h, d, pieces), key = read_head(in[1], b, h, d, pieces),
                     value = read_head(in[2], b, h, d, pieces);
    scores.multiply(query, key, probability);
    softmax_rows(scores, probability, logsumexp_BHT + (b * problem.heads + h) * T);
    write_head(scores.view(probability), value, out, b, h, pieces.take(T * d));
  });
}

template <class Scalar>
void attend_backward(const Problem& problem, const std::array<Part<const Scalar>, 3>& in, const Part<const Scalar>& out,
                     const Part<const Scalar>& grad_out, const float* logsumexp_BHT,
                     const std::array<Part<Scalar>, 3>& grad_in) {
  const std::int64_t T = problem.queries, S = problem.keys, d = problem.head_width();
  problem.for_each_head([&](std::int64_t b, std::int64_t h) {
    thread_local Room room;
    Pieces pieces(room, problem.mask_floats() + 2 * problem.score_floats() + T + (3 * T + 2 * S + std::max(T, S)) * d);
    const Scores scores = problem.scores(b, pieces.take(problem.mask_floats()));
    float* probability = pieces.take(problem.score_floats());
    float* gradient = pieces.take(problem.score_floats());
    float* mean = pieces.take(T);
    const MatrixView query = read_head(in[0], b, h, d, pieces), key = read_head(in[1], b, h, d, pieces),
                     value = read_head(in[2], b, h, d, pieces), grad = read_head(grad_out, b, h, d, pieces);
    float* rows = pieces.take(std::max(T, S) * d);
    const MatrixView result = read_head(out, b, h, d, pieces);
    for (std::int64_t t = 0; t < T; ++t) {
      mean[t] = dot(grad.data + t * grad.row_stride, result.data + t * result.row_stride, d);
    }
    scores.multiply(query, key, probability);
    scores.multiply(grad, value, gradient);
    softmax_rows_backward(scores, logsumexp_BHT + (b * problem.heads + h) * T, mean, probability, gradient);
    const MatrixView grad_scores = scores.view(gradient);
    write_head(grad_scores, key, grad_in[0], b, h, rows);
    write_head(grad_scores.transposed(), query, grad_in[1], b, h, rows);
    write_head(scores.view(probability).transposed(), grad, grad_in[2], b, h, rows);
  });
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
    Tensor logsumexp =
        torch::empty({problem.sentences, heads, problem.queries}, query.options().dtype(torch::kFloat32));
    with_type_of(query, [&](auto scalar) {
      using Scalar = decltype(scalar);
      attend<Scalar>(problem, problem.parts(data_or_null<const Scalar>(query), data_or_null<const Scalar>(memory)),
                     {out.data_ptr<Scalar>(), problem.queries, problem.width}, logsumexp.data_ptr<float>());
    });
    context->save_for_backward({query, memory, mask, out, logsumexp});
    context->saved_data["heads"] = heads;
    context->saved_data["causal"] = causal;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    RECORD_USER_SCOPE("attention");
    const auto saved = context->get_saved_variables();
    const Tensor &query = saved[0], &memory = saved[1], &mask = saved[2], &out = saved[3], &logsumexp = saved[4];
    const Problem problem(query, memory, context->saved_data["heads"].toInt(), mask,
                          context->saved_data["causal"].toBool());
    const Tensor grad_out = gradient[0].contiguous();
    const Tensor grad_query = torch::empty_like(query);
    const Tensor grad_memory = memory.defined() ? torch::empty_like(memory) : Tensor();
    with_type_of(query, [&](auto scalar) {
      using Scalar = decltype(scalar);
      const auto whole = [&](const Tensor& tensor) {
        return Part<const Scalar>(tensor.const_data_ptr<Scalar>(), problem.queries, problem.width);
      };
      attend_backward<Scalar>(problem,
                              problem.parts(data_or_null<const Scalar>(query), data_or_null<const Scalar>(memory)),
                              whole(out), whole(grad_out), logsumexp.const_data_ptr<float>(),
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

bool has_attention(const Tensor& projected) {
  const auto type = projected.scalar_type();
  return has_matrix_product() && projected.is_cpu() && (type == torch::kFloat32 || type == torch::kBFloat16);
}

Tensor self_attention(const Tensor& qkv, std::int64_t heads, const Tensor& mask, bool causal) {
  return apply(qkv, {}, heads, mask, causal);
}

Tensor cross_attention(const Tensor& query, const Tensor& key_value, std::int64_t heads, const Tensor& mask) {
  return apply(query, key_value, heads, mask, /*causal=*/false);
}

}  // namespace moe
