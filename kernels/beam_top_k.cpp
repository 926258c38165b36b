#include "kernels/beam_top_k.h"

#include "kernels/simd/vector_math.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>

// Legend: B sentences, K beams, R = B * K rows, V vocabulary, N continuations of a sentence.

namespace moe {
namespace {

constexpr std::int64_t logits_per_block = 64;

MOE_VECTOR_CLONES float row_logsumexp(const float* logit, std::int64_t vocabulary) {
  return logsumexp(logit, vocabulary);
}

/// The first block from `from` on with a logit that is not below `limit`; `vocabulary` when there is none.
MOE_VECTOR_CLONES std::int64_t next_block(const float* logit, std::int64_t from, std::int64_t vocabulary, float limit) {
  for (std::int64_t first = from; first < vocabulary; first += logits_per_block) {
    const std::int64_t last = std::min(first + logits_per_block, vocabulary);
    int found = 0;
#pragma omp simd reduction(| : found)
    for (std::int64_t v = first; v < last; ++v) found |= logit[v] >= limit ? 1 : 0;
    if (found != 0) return first;
  }
  return vocabulary;
}

struct Entry {
  float score;
  std::int64_t index;

  /// Whether this one is better.
  bool operator<(const Entry& other) const { return score != other.score ? score > other.score : index < other.index; }
};

/// The best entries so far; the worst of them stands in front.
class Best {
 public:
  explicit Best(std::int64_t count) : count_(static_cast<std::size_t>(count)) { entries_.reserve(count_); }

  /// What a score must exceed, as entries come by rising index.
  float worst() const { return entries_.size() < count_ ? -infinity : entries_.front().score; }
  bool is_full() const { return entries_.size() == count_; }

  void add(Entry entry) {
    if (is_full()) {
      if (!(entry.score > entries_.front().score)) return;
      std::pop_heap(entries_.begin(), entries_.end());
      entries_.pop_back();
    }
    entries_.push_back(entry);
    std::push_heap(entries_.begin(), entries_.end());
  }

  std::vector<Entry> sorted() {
    std::sort(entries_.begin(), entries_.end());
    return std::move(entries_);
  }

 private:
  std::size_t count_;
  std::vector<Entry> entries_;
};

/// One beam's continuations; its indices start at `first_index`. False when its log-probabilities are no finite
/// numbers.
bool add_row(const float* logit, std::int64_t vocabulary, float beam_score, std::int64_t first_index,
             const std::vector<std::int64_t>& never, Best& best) {
  const float lse = row_logsumexp(logit, vocabulary);
  if (!std::isfinite(lse)) return false;
  for (std::int64_t first = 0; first < vocabulary; first += logits_per_block) {
    // Rounding may put a score on the limit that is a little below it here.
    const float limit = best.worst() - beam_score + lse;
    if (best.is_full()) first = next_block(logit, first, vocabulary, limit - 1e-5F * (1 + std::abs(limit)));
    for (std::int64_t v = first; v < std::min(first + logits_per_block, vocabulary); ++v) {
      const bool may_be = std::find(never.begin(), never.end(), v) == never.end();
      best.add({may_be ? (logit[v] - lse) + beam_score : -infinity, first_index + v});
    }
  }
  return true;
}

BeamTopK best_continuations_by_tensors(torch::Tensor logit_RV, const std::vector<float>& score_R, std::int64_t beams,
                                       std::int64_t count, const std::vector<std::int64_t>& never) {
  torch::Tensor score_RV = logit_RV.log_softmax(1);
  for (const std::int64_t id : never) score_RV.select(1, id).fill_(-infinity);
  score_RV += torch::tensor(score_R).to(logit_RV.device()).unsqueeze(1);
  const auto [score, index] = score_RV.view({-1, beams * logit_RV.size(1)}).topk(count, 1);
  return {score.to(torch::kCPU).contiguous(), index.to(torch::kCPU).contiguous()};
}

}  // namespace

BeamTopK beam_top_k(const torch::Tensor& logit_RV, const std::vector<float>& score_R, std::int64_t beams,
                    std::int64_t count, const std::vector<std::int64_t>& never) {
  if (!logit_RV.is_cpu()) return best_continuations_by_tensors(logit_RV, score_R, beams, count, never);
  const std::int64_t sentences = logit_RV.size(0) / beams, vocabulary = logit_RV.size(1);
  const torch::Tensor contiguous_RV = logit_RV.contiguous();
  const float* logit = contiguous_RV.const_data_ptr<float>();
  BeamTopK found{torch::empty({sentences, count}), torch::empty({sentences, count}, torch::kInt64)};
  auto* score = found.score_BN.mutable_data_ptr<float>();
  auto* index = found.index_BN.mutable_data_ptr<std::int64_t>();
  at::parallel_for(0, sentences, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      Best best(count);
      bool is_finite = true;
      for (std::int64_t k = 0; k < beams && is_finite; ++k) {
        const std::int64_t row = b * beams + k;
        is_finite = add_row(logit + row * vocabulary, vocabulary, score_R[static_cast<std::size_t>(row)],
                            k * vocabulary, never, best);
      }
      std::int64_t place = b * count;
      if (!is_finite) {
        std::fill_n(score + place, count, std::numeric_limits<float>::quiet_NaN());
        std::fill_n(index + place, count, 0);
        continue;
      }
      for (const Entry& entry : best.sorted()) {
        score[place] = entry.score;
        index[place++] = entry.index;
      }
    }
  });
  return found;
}

}  // namespace moe
