#include "decoding/beam_search.h"

#include "core/error.h"
#include "kernels/beam_top_k.h"
#include "parallel/share_out.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>

// Legend: B live sentences of a batch, K beams, R = B * K rows, V vocabulary.

namespace moe {
namespace {

struct Hypothesis {
  std::vector<std::int64_t> ids;
  double score = -std::numeric_limits<double>::infinity();  ///< already divided by length^a
};

/// A partial hypothesis: one row of the batch.
struct Beam {
  std::vector<std::int64_t> ids;  ///< without begin_id
  double score = 0;               ///< log-probability
};

/// A sentence that is still being translated.
struct LiveSentence {
  std::int64_t member = 0;  ///< index in the set
  std::int64_t max_length = 0;
  std::vector<Beam> beams;  ///< K of them
  std::vector<Hypothesis> finished;
};

/// Tokens of a hypothesis at most, end_id counted.
std::int64_t longest_hypothesis(std::int64_t source_length, const BeamOptions& options) {
  const double share = options.max_length_ratio * static_cast<double>(source_length);
  return std::max<std::int64_t>(static_cast<std::int64_t>(share) + options.max_length_constant, 2);
}

/// Searches one batch.
class BatchSearch {
 public:
  BatchSearch(Transformer& model, const EncodedSet& set, const std::vector<std::int64_t>& members,
              const BeamOptions& options, torch::Device device)
      : model_(model), set_(set), options_(options), device_(device) {
    const Batch batch = make_batch(set, members);
    const ModelBatch tensors = make_model_batch(batch, device);
    const Memory memory = model.encode(tensors.source, pass());
    cache_ = model.make_cache(memory, options.beam, longest_hypothesis(batch.source_length, options));
    for (const std::int64_t member : members) {
      const auto source_length = static_cast<std::int64_t>(set[static_cast<std::size_t>(member)].source.size());
      LiveSentence sentence{member, longest_hypothesis(source_length, options), {}, {}};
      // One beam is real at the start; the others would repeat it.
      sentence.beams.assign(static_cast<std::size_t>(options.beam), {{}, -std::numeric_limits<double>::infinity()});
      sentence.beams.front().score = 0;
      live_.push_back(std::move(sentence));
    }
  }

  /// Calls `done(member, translation)` for every sentence.
  template <class Done>
  void run(Done done) {
    for (std::int64_t position = 0; !live_.empty(); ++position) {
      const torch::Tensor state_RD = model_.decode_step(newest_tokens(), cache_, position, pass());
      extend(model_.logits(state_RD).to(torch::kFloat32));
      retire(position, done);
    }
  }

 private:
  ForwardContext pass() const { return {{Phase::evaluate, 0, 0, options_.draw}}; }

  ModelTokens newest_tokens() const {
    std::vector<std::int64_t> ids, previous, sentence, direction;
    for (const LiveSentence& live : live_) {
      const EncodedPair& pair = set_[static_cast<std::size_t>(live.member)];
      for (const Beam& beam : live.beams) {
        const std::size_t length = beam.ids.size();
        ids.push_back(length == 0 ? begin_id : beam.ids[length - 1]);
        previous.push_back(length < 2 ? begin_id : beam.ids[length - 2]);
        sentence.push_back(pair.sentence);
        direction.push_back(pair.direction);
      }
    }
    ModelTokens tokens = make_model_tokens(ids, 1, sentence, direction, device_);
    tokens.routing.previous_id_T = torch::tensor(previous, torch::kInt64);
    return tokens;
  }

  /// Replaces every sentence's beams by its K best unfinished candidates, and moves finished ones aside.
  void extend(const torch::Tensor& logit_RV) {
    const std::int64_t beams = options_.beam;
    const std::int64_t vocabulary = logit_RV.size(1);
    std::vector<float> scores;
    for (const LiveSentence& live : live_) {
      for (const Beam& beam : live.beams) scores.push_back(static_cast<float>(beam.score));
    }
    // Each of the K beams may propose end_id, so 2 K candidates hold K that go on.
    const BeamTopK best = beam_top_k(logit_RV, scores, beams, 2 * beams, {padding_id, begin_id});
    std::vector<std::int64_t> rows;
    for (std::int64_t b = 0; b < std::ssize(live_); ++b) {
      extend_sentence(live_[static_cast<std::size_t>(b)], best.score_BN.const_data_ptr<float>() + b * 2 * beams,
                      best.index_BN.const_data_ptr<std::int64_t>() + b * 2 * beams, vocabulary, b * beams, rows);
    }
    if (beams > 1) cache_.reorder_cache(torch::tensor(rows, torch::kInt64).to(device_));
  }

  void extend_sentence(LiveSentence& live, const float* score, const std::int64_t* index, std::int64_t vocabulary,
                       std::int64_t first_row, std::vector<std::int64_t>& rows) const {
    if (!std::isfinite(score[0])) {
      throw Error("A log-probability of the model is not a finite number, so it cannot translate.",
                  ExitStatus::runs_failed);
    }
    std::vector<Beam> next;
    for (std::int64_t rank = 0; rank < 2 * options_.beam && std::ssize(next) < options_.beam; ++rank) {
      const std::int64_t from = index[rank] / vocabulary;
      const std::int64_t id = index[rank] % vocabulary;
      const Beam& beam = live.beams[static_cast<std::size_t>(from)];
      if (id == end_id) {
        if (rank < options_.beam) finish(live, beam.ids, score[rank]);
        continue;
      }
      next.push_back({beam.ids, score[rank]});
      next.back().ids.push_back(id);
      rows.push_back(first_row + from);
    }
    live.beams = std::move(next);
  }

  void finish(LiveSentence& live, const std::vector<std::int64_t>& ids, double score) const {
    if (!std::isfinite(score)) return;
    const auto length = static_cast<double>(ids.size() + 1);
    live.finished.push_back({ids, score / std::pow(length, options_.length_penalty)});
  }

  /// Reports and removes the sentences that are done.
  template <class Done>
  void retire(std::int64_t position, Done done) {
    std::vector<std::int64_t> kept_sentences, kept_rows;
    std::vector<LiveSentence> still_live;
    for (std::size_t b = 0; b < live_.size(); ++b) {
      LiveSentence& live = live_[b];
      const bool full = std::ssize(live.finished) >= options_.beam;
      const bool too_long = position + 2 >= live.max_length;
      if (!full && !too_long) {
        kept_sentences.push_back(static_cast<std::int64_t>(b));
        for (std::int64_t k = 0; k < options_.beam; ++k) {
          kept_rows.push_back(static_cast<std::int64_t>(b) * options_.beam + k);
        }
        still_live.push_back(std::move(live));
        continue;
      }
      const bool is_cut = live.finished.empty();
      if (is_cut) {
        for (const Beam& beam : live.beams) finish(live, beam.ids, beam.score);
      }
      const auto best = std::max_element(live.finished.begin(), live.finished.end(),
                                         [](const Hypothesis& a, const Hypothesis& b) { return a.score < b.score; });
      done(live.member, Translation{best->ids, is_cut});
    }
    const bool shrunk = still_live.size() < live_.size();
    live_ = std::move(still_live);
    if (!shrunk || live_.empty()) return;
    cache_.reorder_cache(torch::tensor(kept_rows, torch::kInt64).to(device_));
    cache_.keep_sentences(torch::tensor(kept_sentences, torch::kInt64).to(device_));
  }

  Transformer& model_;
  const EncodedSet& set_;
  const BeamOptions& options_;
  torch::Device device_;
  DecoderCache cache_;
  std::vector<LiveSentence> live_;
};

}  // namespace

BeamOptions beam_options(const EvaluationSettings& evaluation, std::int64_t tokens_per_batch) {
  return {.beam = evaluation.beam,
          .length_penalty = evaluation.length_penalty,
          .tokens_per_batch = tokens_per_batch,
          .max_length_ratio = evaluation.max_length_ratio,
          .max_length_constant = evaluation.max_length_constant};
}

std::vector<Translation> translate(Transformer& model, const EncodedSet& set, const BeamOptions& options,
                                   ExecutionContext where) {
  const std::int64_t tokens = std::max<std::int64_t>(options.tokens_per_batch / options.beam, 1);
  const auto batches = translation_batches(set, tokens);
  using Found = std::vector<std::pair<std::int64_t, Translation>>;  // with its index in the set
  const auto search = [&](std::int64_t i) {
    const torch::InferenceMode inference;
    Found found;
    BatchSearch(model, set, batches[static_cast<std::size_t>(i)], options, where.device)
        .run([&](std::int64_t member, Translation translation) { found.emplace_back(member, std::move(translation)); });
    return found;
  };
  std::vector<Translation> translations(set.size());
  for (Found& found : share_out<Found>(where.ranks, "translation", std::ssize(batches), search)) {
    for (auto& [member, translation] : found) translations[static_cast<std::size_t>(member)] = std::move(translation);
  }
  return translations;
}

}  // namespace moe
