#include "decoding/beam_search.h"

#include "parallel/thread_communicator.h"
#include "tests/support/catch.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

namespace moe {
namespace {

using Ids = std::vector<std::int64_t>;

/// A model whose predictions vary from step to step.
std::shared_ptr<Transformer> lively_model(const std::string& router, std::uint64_t seed = 1, double deviation = 0.3) {
  const auto model = tiny_model(router, Json::object(), tiny_settings(), seed);
  disturb(*model, deviation, seed);
  return model;
}

/// Whole prefixes are slow: two sentences are enough to see that one leaves the batch before the other.
EncodedSet two_sentences() {
  return {tiny_set()[1], tiny_set()[2]};
}

EncodedSet six_sentences() {
  EncodedSet set = tiny_set();
  set.push_back({{15, 22, 4, 4, 19, 8, end_id}, {end_id}, {}, 0, 13});
  set.push_back({{end_id}, {end_id}, {}, 0, 14});
  set.push_back({{23, 5, end_id}, {end_id}, {}, 0, 15});
  return set;
}

/// With the standard limit.
std::int64_t longest(const EncodedPair& pair) {
  return 2 * std::ssize(pair.source) + 10;
}

/// As if end_id were the worst of all ids, always, or the best.
void make_end(Transformer& model, bool likely) {
  const torch::NoGradGuard no_gradient;
  model.named_parameters()["decoder_norm.bias"][0] = 20.0;
  model.named_parameters()["embedding"][end_id][0] = likely ? 20.0 : -20.0;
}

/// Reads one sentence, and scores what may follow by decoding all of it anew.
class SlowDecoder {
 public:
  SlowDecoder(Transformer& model, const EncodedPair& pair, std::int64_t draw)
      : model_(model),
        pair_(pair),
        pass_{.call = {.phase = Phase::evaluate, .sample = draw}},
        memory_(model.encode(tokens(pair.source), pass_)) {}

  /// log p of every id after each prefix of begin_id, ids: [ids + 1, V]. Padding and begin_id are never predicted.
  torch::Tensor log_probabilities(const Ids& ids) {
    Ids input = ids;
    input.insert(input.begin(), begin_id);
    torch::Tensor log_probability_TV =
        model_.logits(model_.decode(tokens(input), memory_, pass_).state_BTD[0]).log_softmax(-1);
    for (const std::int64_t id : {padding_id, begin_id}) log_probability_TV.select(1, id).fill_(-INFINITY);
    return log_probability_TV;
  }

  /// log p of ids, closed by end_id, over their number to the power of a.
  double score(Ids ids, double length_penalty) {
    const torch::Tensor log_probability_TV = log_probabilities(ids);
    ids.push_back(end_id);
    double sum = 0;
    for (std::int64_t t = 0; t < std::ssize(ids); ++t) sum += log_probability_TV[t][ids[t]].item<double>();
    return sum / std::pow(ids.size(), length_penalty);
  }

 private:
  ModelTokens tokens(const Ids& ids) const {
    return make_model_tokens(ids, std::ssize(ids), {pair_.sentence}, {pair_.direction}, torch::kCPU);
  }

  Transformer& model_;
  const EncodedPair& pair_;
  ForwardContext pass_;
  Memory memory_;
};

Ids slow_greedy(SlowDecoder& decoder, std::int64_t max_length) {
  Ids ids;
  while (std::ssize(ids) + 1 < max_length) {
    const auto next = decoder.log_probabilities(ids)[std::ssize(ids)].argmax().item<std::int64_t>();
    if (next == end_id) break;
    ids.push_back(next);
  }
  return ids;
}

struct Candidate {
  Ids ids;
  double score = 0;
};

/// Beam search by the book, over lists of ids.
Ids slow_beam_search(SlowDecoder& decoder, std::int64_t max_length, const BeamOptions& options) {
  std::vector<Candidate> beams(1), finished;
  const auto finish = [&](Ids ids, double score) {
    const double length = static_cast<double>(ids.size() + 1);
    finished.push_back({std::move(ids), score / std::pow(length, options.length_penalty)});
  };
  for (std::int64_t length = 1; length < max_length && std::ssize(finished) < options.beam; ++length) {
    std::vector<Candidate> candidates;
    for (const Candidate& beam : beams) {
      const torch::Tensor log_probability_V = decoder.log_probabilities(beam.ids)[length - 1].contiguous();
      for (std::int64_t id = 0; id < tiny_vocabulary; ++id) {
        candidates.push_back({beam.ids, beam.score + log_probability_V.data_ptr<float>()[id]});
        candidates.back().ids.push_back(id);
      }
    }
    std::sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    beams.clear();
    for (std::int64_t rank = 0; std::ssize(beams) < options.beam; ++rank) {
      Candidate& candidate = candidates[static_cast<std::size_t>(rank)];
      if (candidate.ids.back() != end_id) {
        beams.push_back(candidate);
      } else if (rank < options.beam) {
        candidate.ids.pop_back();
        finish(candidate.ids, candidate.score);
      }
    }
  }
  if (finished.empty()) {
    for (const Candidate& beam : beams) finish(beam.ids, beam.score);
  }
  return std::max_element(finished.begin(), finished.end(),
                          [](const auto& a, const auto& b) { return a.score < b.score; })
      ->ids;
}

std::vector<Ids> run(Transformer& model, const EncodedSet& set, const BeamOptions& options) {
  std::vector<Ids> ids;
  for (Translation& translation : translate(model, set, options, torch::kCPU)) {
    ids.push_back(std::move(translation.ids));
  }
  return ids;
}

}  // namespace

TEST_CASE("greedy search takes the most probable id, again and again, for every router") {
  const torch::NoGradGuard no_gradient;
  const EncodedSet set = two_sentences();
  for (const RouterEntry& entry : all_routers()) {
    if (entry.batch_dependent || entry.needs_labels) continue;  // the slow decoder sees one sentence at a time
    CAPTURE(entry.name);
    const auto model = lively_model(entry.name);
    const std::vector<Ids> translations = run(*model, set, {.beam = 1, .draw = 1});
    for (std::size_t i = 0; i < set.size(); ++i) {
      SlowDecoder decoder(*model, set[i], 1);
      CHECK(translations[i] == slow_greedy(decoder, longest(set[i])));
    }
  }
}

TEST_CASE("beam search finds what a search over whole prefixes finds, for every router") {
  const torch::NoGradGuard no_gradient;
  const EncodedSet set = two_sentences();
  double length_penalty = 0;
  for (const RouterEntry& entry : all_routers()) {
    if (entry.batch_dependent || entry.needs_labels) continue;
    length_penalty = 1 - length_penalty;
    CAPTURE(entry.name, length_penalty);
    const auto model = lively_model(entry.name);
    const BeamOptions options{.beam = 3, .length_penalty = length_penalty, .draw = 1};
    const std::vector<Ids> translations = run(*model, set, options);
    for (std::size_t i = 0; i < set.size(); ++i) {
      SlowDecoder decoder(*model, set[i], 1);
      CHECK(translations[i] == slow_beam_search(decoder, longest(set[i]), options));
    }
  }
}

TEST_CASE("a wider beam finds better hypotheses, scored by reading them") {
  const torch::NoGradGuard no_gradient;
  const EncodedSet set = six_sentences();
  std::int64_t better = 0, worse = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto model = lively_model("switch", seed, 0.2);  // more would end every sentence at once or never
    const std::vector<Ids> greedy = run(*model, set, {.beam = 1});
    const std::vector<Ids> beam = run(*model, set, {.beam = 5});
    for (std::size_t i = 0; i < set.size(); ++i) {
      if (std::ssize(greedy[i]) + 1 == longest(set[i])) continue;  // cut: never closed by end_id
      SlowDecoder decoder(*model, set[i], 0);
      const double gain = decoder.score(beam[i], 1.0) - decoder.score(greedy[i], 1.0);
      better += gain > 1e-6;
      worse += gain < -1e-6;
    }
  }
  CHECK(better >= 3);
  CHECK(worse < better);
}

TEST_CASE("translations keep the order of the set, whatever the batches, and never read a target") {
  const EncodedSet set = six_sentences();
  const auto model = lively_model("switch", 2);
  const std::vector<Ids> together = run(*model, set, {.beam = 3});
  REQUIRE(together.size() == set.size());
  CHECK(run(*model, set, {.beam = 3, .tokens_per_batch = 1}) == together);
  CHECK(run(*model, set, {.beam = 3, .tokens_per_batch = 30}) == together);
  for (std::size_t i = 0; i < set.size(); ++i) CHECK(run(*model, {set[i]}, {.beam = 3}).front() == together[i]);

  EncodedSet reversed(set.rbegin(), set.rend());
  for (EncodedPair& pair : reversed) pair.target = {7, 7, 7, end_id};
  const std::vector<Ids> backwards = run(*model, reversed, {.beam = 3});
  CHECK(std::vector<Ids>(backwards.rbegin(), backwards.rend()) == together);
  CHECK(run(*model, {}, {}).empty());
}

TEST_CASE("a router that mixes the tokens of a batch has batches by the sources alone") {
  const auto model = lively_model("soft");
  const BeamOptions options{.beam = 2, .tokens_per_batch = 24};
  EncodedSet set = six_sentences();
  const std::vector<Ids> before = run(*model, set, options);
  for (std::size_t i = 0; i < set.size(); ++i) set[i].target.assign(1 + 5 * i, end_id);
  CHECK(run(*model, set, options) == before);
}

TEST_CASE("ranks that share the batches all have all translations") {
  const auto model = lively_model("thor");
  const BeamOptions options{.beam = 2, .tokens_per_batch = 16};
  const std::vector<Ids> alone = run(*model, six_sentences(), options);
  for (const int size : {2, 5}) {
    std::mutex mutex;
    int equal = 0;
    run_on_threads(size, /*deadline_seconds=*/60, [&](Communicator& ranks) {
      const auto own = lively_model("thor");
      std::vector<Ids> ids;
      for (Translation& translation : translate(*own, six_sentences(), options, {torch::kCPU, ranks})) {
        ids.push_back(std::move(translation.ids));
      }
      const std::scoped_lock lock(mutex);
      equal += ids == alone ? 1 : 0;
    });
    CHECK(equal == size);
  }
}

TEST_CASE("a model that never ends is cut at the longest length, and one that ends at once gives nothing") {
  const auto model = lively_model("switch");
  for (const std::int64_t beam : {1, 3}) {
    make_end(*model, /*likely=*/false);
    const std::vector<Translation> endless = translate(*model, six_sentences(), {.beam = beam}, torch::kCPU);
    for (std::size_t i = 0; i < endless.size(); ++i) {
      CHECK(std::ssize(endless[i].ids) + 1 == longest(six_sentences()[i]));
      for (const std::int64_t id : endless[i].ids) CHECK((id != padding_id && id != begin_id && id != end_id));
      CHECK(endless[i].cut);
    }
    make_end(*model, /*likely=*/true);
    for (const Translation& translation : translate(*model, six_sentences(), {.beam = beam}, torch::kCPU)) {
      CHECK(translation.ids.empty());
      CHECK_FALSE(translation.cut);
    }
  }
}

TEST_CASE("the longest length is a share of the source and a constant, rounded down, and one token at least") {
  const auto model = lively_model("switch");
  make_end(*model, /*likely=*/false);
  // Sources of 5, 2, 4, 7, 1 and 3 tokens; end_id, which never comes, is counted in the limit.
  const auto lengths = [&](double ratio, std::int64_t constant) {
    std::vector<std::int64_t> lengths;
    const BeamOptions options{.beam = 2, .max_length_ratio = ratio, .max_length_constant = constant};
    for (const Ids& ids : run(*model, six_sentences(), options)) lengths.push_back(std::ssize(ids));
    return lengths;
  };
  CHECK(lengths(2, 10) == std::vector<std::int64_t>{19, 13, 17, 23, 11, 15});
  CHECK(lengths(1.5, 2) == std::vector<std::int64_t>{8, 4, 7, 11, 2, 5});
  CHECK(lengths(0, 4) == std::vector<std::int64_t>{3, 3, 3, 3, 3, 3});
  CHECK(lengths(0, 0) == std::vector<std::int64_t>{1, 1, 1, 1, 1, 1});
  CHECK(lengths(9, 0) == std::vector<std::int64_t>{44, 17, 35, 62, 8, 26});
}

TEST_CASE("a model whose numbers are not finite is refused, whatever its router and its beam") {
  const std::string sentence = "A log-probability of the model is not a finite number, so it cannot translate.";
  for (const RouterEntry& entry : all_routers()) {
    if (entry.needs_labels) continue;
    CAPTURE(entry.name);
    for (const double wrong : {std::nan(""), 1e38}) {
      const auto model = lively_model(entry.name);
      const torch::NoGradGuard no_gradient;
      for (auto& item : model->named_parameters()) item.value().fill_(wrong);
      CHECK_THROWS_WITH(run(*model, tiny_set(), {.beam = 1}), sentence);
      CHECK_THROWS_WITH(run(*model, tiny_set(), {.beam = 3}), sentence);
    }
  }
  const auto model = lively_model("dense");
  const torch::NoGradGuard no_gradient;
  model->named_parameters()["embedding"][17][3] = std::nan("");  // one number, which every logit of that id sees
  CHECK_THROWS_WITH(run(*model, tiny_set(), {.beam = 3}), sentence);
}

TEST_CASE("a beam wider than the vocabulary still gives a translation") {
  const EncodedSet set = tiny_set();
  const auto model = lively_model("hash");
  for (const Ids& ids : run(*model, set, {.beam = 30})) {
    for (const std::int64_t id : ids) CHECK((id != padding_id && id != begin_id && id != end_id));
  }
}

TEST_CASE("the number of the draw reaches the routers that draw") {
  const auto model = lively_model("thor");
  std::vector<std::vector<Ids>> translations;
  for (std::int64_t draw = 0; draw < 4; ++draw) translations.push_back(run(*model, six_sentences(), {.draw = draw}));
  CHECK(std::count(translations.begin(), translations.end(), translations[0]) < 4);
  CHECK(run(*model, six_sentences(), {.draw = 3}) == translations[3]);
}

}  // namespace moe
