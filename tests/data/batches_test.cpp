#include "data/batches.h"

#include "data/load_corpus.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <map>

namespace moe {
namespace {

using Ids = std::vector<std::int64_t>;
using Batches = std::vector<Ids>;

/// Sentences of varied lengths, source 1 to 30 and target 1 to 25; every third belongs to direction 1.
EncodedSet varied_set(std::int64_t size) {
  EncodedSet set;
  for (std::int64_t i = 0; i < size; ++i) {
    EncodedPair pair;
    pair.source.assign(static_cast<std::size_t>(1 + i * 7 % 30), 10);
    pair.target.assign(static_cast<std::size_t>(1 + i * 11 % 25), 20);
    pair.direction = i % 3 == 2 ? 1 : 0;
    pair.sentence = i;
    set.push_back(pair);
  }
  return set;
}

Ids flatten(const Batches& batches) {
  Ids members;
  for (const Ids& batch : batches) members.insert(members.end(), batch.begin(), batch.end());
  return members;
}

Ids sorted(Ids ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

Ids first_numbers(std::int64_t count) {
  Ids ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(i);
  return ids;
}

double target_fill(const EncodedSet& set, const Batches& batches) {
  double tokens = 0, cells = 0;
  for (const Ids& members : batches) {
    const Batch batch = make_batch(set, members);
    tokens += static_cast<double>(batch.target_tokens);
    cells += static_cast<double>(batch.target_output.size());
  }
  return tokens / cells;
}

}  // namespace

TEST_CASE("a batch pads both sides and shifts the target", "[data][batches]") {
  const EncodedSet set = {{{11, 12, end_id}, {21, end_id}, {}, 0, 5}, {{13, end_id}, {22, 23, 24, end_id}, {}, 1, 9}};
  const Batch batch = make_batch(set, {1, 0});
  CHECK(batch.sentences == 2);
  CHECK(batch.source_length == 3);
  CHECK(batch.target_length == 4);
  CHECK(batch.source == Ids{13, 3, 0, 11, 12, 3});
  CHECK(batch.target_input == Ids{2, 22, 23, 24, 2, 21, 0, 0});
  CHECK(batch.target_output == Ids{22, 23, 24, 3, 21, 3, 0, 0});
  CHECK(batch.sentence == Ids{9, 5});
  CHECK(batch.direction == Ids{1, 0});
  CHECK(batch.source_tokens == 5);
  CHECK(batch.target_tokens == 6);
}

TEST_CASE("tokens are counted as each stack reads them", "[data][batches]") {
  const EncodedSet set = {{{5, 6, 6, end_id}, {7, end_id}, {}, 0, 0}, {{5, end_id}, {7, 7, 6, end_id}, {}, 0, 1}};
  const TokenCounts counts = count_tokens(set, 9);
  CHECK(counts.source == Ids{0, 0, 0, 2, 0, 2, 2, 0, 0});
  CHECK(counts.target == Ids{0, 0, 2, 0, 0, 0, 1, 3, 0});
}

TEST_CASE("an epoch holds every sentence once within the limit", "[data][batches]") {
  const EncodedSet set = varied_set(1000);
  const Batches batches = epoch_batches(set, {120}, 1.0, 1, 0);
  CHECK(sorted(flatten(batches)) == first_numbers(1000));
  for (const Ids& members : batches) {
    const Batch batch = make_batch(set, members);
    CHECK(batch.target_output.size() <= 120);
    CHECK(batch.source.size() <= 240);
  }
  CHECK(target_fill(set, batches) > 0.95);

  for (const Ids& members : epoch_batches(set, {120, BatchSide::longer}, 1.0, 1, 0)) {
    const Batch batch = make_batch(set, members);
    CHECK(std::max(batch.target_output.size(), batch.source.size()) <= 120);
  }

  // A sentence above the limit is a batch of its own.
  const Batches singles = epoch_batches(varied_set(20), {1}, 1.0, 1, 0);
  CHECK(singles.size() == 20);
}

TEST_CASE("a target token weighs the same whether its source is long or short", "[data][batches]") {
  EncodedSet set;
  for (std::int64_t i = 0; i < 4000; ++i) {
    EncodedPair pair;
    const std::int64_t target = 8 + i % 5;
    pair.source.assign(static_cast<std::size_t>(i % 2 == 0 ? target - 4 : target + 6), 10);  // at most twice as long
    pair.target.assign(static_cast<std::size_t>(target), 20);
    set.push_back(pair);
  }
  // The loss is a mean over a batch, so each target token weighs one over their number in its batch.
  const auto weight_of_long_sources = [&](BatchSide side) {
    double weight = 0, all = 0;
    for (const Ids& members : epoch_batches(set, {256, side}, 1.0, 1, 0)) {
      const Batch batch = make_batch(set, members);
      for (const std::int64_t member : members) {
        const EncodedPair& pair = set[static_cast<std::size_t>(member)];
        const double share = static_cast<double>(pair.target.size()) / static_cast<double>(batch.target_tokens);
        all += share;
        if (pair.source.size() > pair.target.size()) weight += share;
      }
    }
    return weight / all;
  };
  CHECK(weight_of_long_sources(BatchSide::target) == Approx(0.5).margin(0.02));
  CHECK(weight_of_long_sources(BatchSide::longer) > 0.55);
}

TEST_CASE("the order is a pure function of seed and epoch", "[data][batches]") {
  const EncodedSet set = varied_set(300);
  const Batches batches = epoch_batches(set, {100}, 1.0, 1, 3);
  CHECK(epoch_batches(set, {100}, 1.0, 1, 3) == batches);
  CHECK(epoch_batches(set, {100}, 1.0, 1, 4) != batches);
  CHECK(epoch_batches(set, {100}, 1.0, 2, 3) != batches);
  // Batches come in no order of length.
  std::vector<std::size_t> lengths;
  for (const Ids& members : batches) lengths.push_back(set[static_cast<std::size_t>(members[0])].target.size());
  CHECK_FALSE(std::is_sorted(lengths.begin(), lengths.end()));
}

TEST_CASE("a sampling temperature evens the directions out", "[data][batches]") {
  EncodedSet set = varied_set(3000);
  for (std::int64_t i = 0; i < 3000; ++i) set[static_cast<std::size_t>(i)].direction = i < 2700 ? 0 : 1;
  const auto second_share = [&](double temperature) {
    const Ids members = flatten(epoch_batches(set, {400}, temperature, 1, 0));
    CHECK(members.size() == 3000);
    return static_cast<double>(std::count_if(members.begin(), members.end(), [](auto m) { return m >= 2700; })) / 3000;
  };
  CHECK(second_share(1.0) == 0.1);
  CHECK(second_share(2.0) == Approx(0.25).margin(0.03));  // sqrt(300) / (sqrt(2700) + sqrt(300)) = 1 / (3 + 1)
  CHECK(second_share(1e9) == Approx(0.5).margin(0.03));
  CHECK(second_share(0.01) == 0.0);

  // Shuffled rounds: about 1,500 draws from 300 sentences take each five times, give or take the last round.
  std::map<std::int64_t, std::int64_t> taken;
  for (const std::int64_t member : flatten(epoch_batches(set, {400}, 1e9, 1, 0))) ++taken[member];
  const auto [fewest, most] = std::minmax_element(taken.lower_bound(2700), taken.end(),
                                                  [](const auto& a, const auto& b) { return a.second < b.second; });
  CHECK(taken.size() - static_cast<std::size_t>(std::distance(taken.begin(), taken.lower_bound(2700))) == 300);
  CHECK(most->second - fewest->second <= 1);
  CHECK(epoch_batches(set, {400}, 2.0, 1, 0) == epoch_batches(set, {400}, 2.0, 1, 0));
  CHECK(epoch_batches(set, {400}, 2.0, 1, 0) != epoch_batches(set, {400}, 2.0, 1, 1));
}

TEST_CASE("evaluation sees every sentence once, longest first", "[data][batches]") {
  const EncodedSet set = varied_set(500);
  const Batches batches = evaluation_batches(set, 200);
  const Ids members = flatten(batches);
  CHECK(sorted(members) == first_numbers(500));
  CHECK(std::is_sorted(members.begin(), members.end(), [&](std::int64_t a, std::int64_t b) {
    return set[static_cast<std::size_t>(a)].source.size() > set[static_cast<std::size_t>(b)].source.size();
  }));
}

TEST_CASE("a set is encoded direction after direction", "[data][batches]") {
  const TemporaryFolder folder;
  const DataSettings settings = small_synthetic({"aa-ba", "ba-aa"});
  const Corpus corpus = load_corpus(settings);
  const Tokenizer tokenizer(train_tokenizer(settings, corpus, folder.path()));
  const EncodedSet set = encode_set(corpus, corpus.valid, tokenizer, 0);
  REQUIRE(set.size() == 80);
  CHECK(set[40].direction == 1);
  CHECK(set[40].sentence == 40);
  CHECK(set[0].source.front() == tokenizer.target_tag("ba"));
  CHECK(set[40].source.front() == tokenizer.target_tag("aa"));
  CHECK(set[40].source.back() == end_id);
  CHECK(set[40].target.back() == end_id);
  CHECK(tokenizer.decode(set[40].source) == corpus.valid.directions[1].source[0]);
  CHECK(tokenizer.decode(set[40].target) == corpus.valid.directions[1].target[0]);

  // Sentences that are left out leave the numbers of the others alone.
  const EncodedSet shorter = encode_set(corpus, corpus.valid, tokenizer, 20);
  CHECK(shorter.size() < set.size());
  for (const EncodedPair& pair : shorter) {
    CHECK(pair.source.size() <= 22);  // with tag and end
    CHECK(pair.target.size() <= 21);
    CHECK(pair.target == set[static_cast<std::size_t>(pair.sentence)].target);
  }
  CHECK_THROWS_WITH(encode_set(corpus, corpus.valid, tokenizer, 1),
                    "data.max_length: all sentences of \"val\" have more than 1 subwords.");
}

TEST_CASE("Multi30k batches hold little padding", "[data][batches][multi30k]") {
  const std::optional<DataSettings> settings = multi30k({"de-en"});
  if (!settings) {
    WARN("skipped: no ../shared/data/multi30k");
    return;
  }
  const TemporaryFolder folder;
  const Corpus corpus = load_corpus(*settings);
  const Tokenizer tokenizer(train_tokenizer(*settings, corpus, folder.path()));
  const EncodedSet set = encode_set(corpus, corpus.train, tokenizer, settings->max_length);
  CHECK(set.size() == 29000);
  const Batches batches = epoch_batches(set, {4096}, 1.0, 1, 0);
  CHECK(sorted(flatten(batches)) == first_numbers(29000));
  CHECK(target_fill(set, batches) > 0.97);
}

}  // namespace moe
