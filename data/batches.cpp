#include "data/batches.h"

#include "core/error.h"
#include "core/random.h"
#include "data/shuffle.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moe {
namespace {

using Members = std::vector<std::int64_t>;

/// Batches whose sentences are sorted together: enough that all lengths find company, few enough that batches differ
/// from epoch to epoch.
constexpr std::int64_t batches_per_chunk = 100;
constexpr std::int64_t no_label = -1;

const EncodedPair& pair_of(const EncodedSet& set, std::int64_t member) {
  return set[static_cast<std::size_t>(member)];
}

std::int64_t source_length(const EncodedSet& set, std::int64_t member) {
  return static_cast<std::int64_t>(pair_of(set, member).source.size());
}

std::int64_t target_length(const EncodedSet& set, std::int64_t member) {
  return static_cast<std::int64_t>(pair_of(set, member).target.size());
}

Members all_members(const EncodedSet& set) {
  Members members(set.size());
  std::iota(members.begin(), members.end(), std::int64_t{0});
  return members;
}

/// Places that a pair asks for in a batch of `side`.
std::int64_t counted_length(const EncodedSet& set, std::int64_t member, BatchSide side) {
  const std::int64_t source = source_length(set, member), target = target_length(set, member);
  if (side == BatchSide::source) return source;
  return side == BatchSide::target ? std::max(target, (source + 1) / 2) : std::max(target, source);
}

/// Cuts a sorted list into batches within the limit.
void cut_into_batches(const EncodedSet& set, const Members& sorted, BatchLimit limit, std::vector<Members>& batches) {
  Members batch;
  std::int64_t longest = 0;
  for (const std::int64_t member : sorted) {
    const std::int64_t length = counted_length(set, member, limit.side);
    longest = std::max(longest, length);
    if (!batch.empty() && longest * static_cast<std::int64_t>(batch.size() + 1) > limit.tokens) {
      batches.push_back(std::move(batch));
      batch.clear();
      longest = length;
    }
    batch.push_back(member);
  }
  if (!batch.empty()) batches.push_back(std::move(batch));
}

/// Sorts by target length, then by source length, upwards and downwards in turn: so neighbours are alike on both sides,
/// also where the target length changes. Stable, so that equal lengths keep the order that was drawn.
void sort_by_length(const EncodedSet& set, Members& members) {
  const auto key = [&](std::int64_t member) {
    const std::int64_t source = source_length(set, member), target = target_length(set, member);
    return std::pair(target, target % 2 == 0 ? source : -source);
  };
  std::stable_sort(members.begin(), members.end(), [&](std::int64_t a, std::int64_t b) { return key(a) < key(b); });
}

/// Splits the epoch's order into runs of about `batches_per_chunk` batches.
std::vector<Members> cut_into_chunks(const EncodedSet& set, const Members& order, std::int64_t tokens_per_batch) {
  std::vector<Members> chunks;
  std::int64_t tokens = 0;
  for (const std::int64_t member : order) {
    if (chunks.empty() || tokens >= batches_per_chunk * tokens_per_batch) {
      chunks.emplace_back();
      tokens = 0;
    }
    chunks.back().push_back(member);
    tokens += target_length(set, member);
  }
  return chunks;
}

/// Cumulative probabilities ~ size^(1/T) of drawing each direction.
std::vector<double> direction_probabilities(const std::vector<Members>& directions, double temperature) {
  std::vector<double> cumulative;
  double sum = 0;
  std::size_t largest = 0;
  for (const Members& direction : directions) largest = std::max(largest, direction.size());
  for (const Members& direction : directions) {
    // Relative to the largest, so that a low temperature does not overflow.
    sum += std::pow(static_cast<double>(direction.size()) / static_cast<double>(largest), 1 / temperature);
    cumulative.push_back(sum);
  }
  for (double& value : cumulative) value /= sum;
  return cumulative;
}

/// As many members as the set has, direction by direction at a temperature.
Members sample_members(const EncodedSet& set, double temperature, RandomStream draws, RandomStream rounds) {
  std::vector<Members> directions;
  for (const std::int64_t member : all_members(set)) {
    const auto direction = static_cast<std::size_t>(pair_of(set, member).direction);
    if (directions.size() <= direction) directions.resize(direction + 1);
    directions[direction].push_back(member);
  }
  const std::vector<double> cumulative = direction_probabilities(directions, temperature);
  std::vector<std::size_t> taken(directions.size(), 0);
  std::vector<Members> round(directions.size());
  Members members;
  for (std::size_t draw = 0; draw < set.size(); ++draw) {
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, draws.at(draw).uniform());
    const auto direction = static_cast<std::size_t>(found - cumulative.begin());
    const std::size_t size = directions[direction].size();
    const std::size_t position = taken[direction] % size;
    if (position == 0) {
      round[direction] = shuffled(directions[direction], rounds.at(direction).at(taken[direction] / size));
    }
    members.push_back(round[direction][position]);
    ++taken[direction];
  }
  return members;
}

template <class Length>
std::vector<Members> longest_first(const EncodedSet& set, BatchLimit limit, const Length& length) {
  Members order = all_members(set);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return length(a) > length(b); });
  std::vector<Members> batches;
  cut_into_batches(set, order, limit, batches);
  return batches;
}

void pad_into(std::vector<std::int64_t>& matrix, const std::vector<std::int64_t>& row, std::int64_t length,
              std::int64_t padding = padding_id) {
  matrix.insert(matrix.end(), row.begin(), row.end());
  matrix.insert(matrix.end(), static_cast<std::size_t>(length) - row.size(), padding);
}

/// What the decoder reads to predict `target`: begin, then all but the last.
std::vector<std::int64_t> shift_right(const std::vector<std::int64_t>& target) {
  std::vector<std::int64_t> input{begin_id};
  input.insert(input.end(), target.begin(), target.end() - 1);
  return input;
}

/// Labels of the words of a source, with those of tag and end.
std::vector<std::int64_t> labels_of(std::vector<std::int64_t> words, std::size_t tokens, bool tagged) {
  MOE_CHECK(words.size() == tokens, "A sentence of {} labelled words has {} tokens.", words.size(), tokens);
  if (tagged) words.insert(words.begin(), no_label);
  words.push_back(no_label);
  return words;
}

}  // namespace

EncodedSet encode_set(const Corpus& corpus, const TextSet& set, const Tokenizer& tokenizer, std::int64_t max_length) {
  const bool tagged = needs_target_tag(corpus.directions);
  EncodedSet encoded;
  std::int64_t sentence = 0;
  for (std::size_t d = 0; d < set.directions.size(); ++d) {
    const ParallelText& text = set.directions[d];
    const std::int64_t tag = tagged ? tokenizer.target_tag(corpus.directions[d].target) : unknown_id;
    for (std::size_t i = 0; i < text.source.size(); ++i, ++sentence) {
      EncodedPair pair;
      pair.source = tokenizer.encode(text.source[i]);
      pair.target = tokenizer.encode(text.target[i]);
      pair.direction = static_cast<std::int64_t>(d);
      pair.sentence = sentence;
      const auto longest = static_cast<std::int64_t>(std::max(pair.source.size(), pair.target.size()));
      if (max_length > 0 && longest > max_length) continue;
      if (!text.label.empty()) pair.label = labels_of(text.label[i], pair.source.size(), tagged);
      if (tagged) pair.source.insert(pair.source.begin(), tag);
      pair.source.push_back(end_id);
      pair.target.push_back(end_id);
      encoded.push_back(std::move(pair));
    }
  }
  MOE_CHECK(!encoded.empty(), "data.max_length: all sentences of \"{}\" have more than {} subwords.", set.name,
            max_length);
  return encoded;
}

TokenCounts count_tokens(const EncodedSet& set, std::int64_t vocabulary_size) {
  const auto size = static_cast<std::size_t>(vocabulary_size);
  TokenCounts counts{std::vector<std::int64_t>(size), std::vector<std::int64_t>(size)};
  for (const EncodedPair& pair : set) {
    for (const std::int64_t id : pair.source) ++counts.source.at(static_cast<std::size_t>(id));
    for (const std::int64_t id : shift_right(pair.target)) ++counts.target.at(static_cast<std::size_t>(id));
  }
  return counts;
}

Batch make_batch(const EncodedSet& set, const std::vector<std::int64_t>& members) {
  Batch batch;
  batch.sentences = static_cast<std::int64_t>(members.size());
  for (const std::int64_t member : members) {
    batch.source_length = std::max(batch.source_length, source_length(set, member));
    batch.target_length = std::max(batch.target_length, target_length(set, member));
    batch.source_tokens += source_length(set, member);
    batch.target_tokens += target_length(set, member);
  }
  for (const std::int64_t member : members) {
    const EncodedPair& pair = pair_of(set, member);
    pad_into(batch.source, pair.source, batch.source_length);
    if (!pair.label.empty()) pad_into(batch.source_label, pair.label, batch.source_length, no_label);
    pad_into(batch.target_input, shift_right(pair.target), batch.target_length);
    pad_into(batch.target_output, pair.target, batch.target_length);
    batch.sentence.push_back(pair.sentence);
    batch.direction.push_back(pair.direction);
  }
  return batch;
}

std::vector<std::vector<std::int64_t>> epoch_batches(const EncodedSet& set, BatchLimit limit,
                                                     double sampling_temperature, std::int64_t seed,
                                                     std::int64_t epoch) {
  const RandomStream run(static_cast<std::uint64_t>(seed));
  const RandomStream shuffles = run.at(StreamTag::shuffle).at(epoch);
  const Members order =
      sampling_temperature == 1.0
          ? shuffled(all_members(set), shuffles.at("sentences"))
          : sample_members(set, sampling_temperature, run.at(StreamTag::sampling).at(epoch), shuffles.at("rounds"));
  std::vector<Members> batches;
  for (Members& chunk : cut_into_chunks(set, order, limit.tokens)) {
    sort_by_length(set, chunk);
    cut_into_batches(set, chunk, limit, batches);
  }
  return shuffled(std::move(batches), shuffles.at("batches"));
}

std::vector<std::vector<std::int64_t>> evaluation_batches(const EncodedSet& set, std::int64_t tokens_per_batch) {
  return longest_first(set, {tokens_per_batch, BatchSide::longer}, [&](std::int64_t member) {
    return std::pair(source_length(set, member), target_length(set, member));
  });
}

std::vector<std::vector<std::int64_t>> translation_batches(const EncodedSet& set, std::int64_t tokens_per_batch) {
  return longest_first(set, {tokens_per_batch, BatchSide::source},
                       [&](std::int64_t member) { return source_length(set, member); });
}

}  // namespace moe
