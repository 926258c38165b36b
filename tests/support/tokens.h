#pragma once
// Builds the moe::Tokens of small batches.

#include "routers/tokens.h"

#include <torch/types.h>

#include <algorithm>
#include <vector>

namespace moe {

/// A sentence of a test: its index in the data set and its token ids.
struct TestSentence {
  std::int64_t index = 0;
  std::vector<std::int64_t> ids;
};

/// One row per sentence, padded to the longest and by `padding` more columns.
inline Tokens make_tokens(const std::vector<TestSentence>& sentences, std::int64_t padding = 0,
                          Phase phase = Phase::train) {
  std::size_t longest = 0;
  for (const TestSentence& sentence : sentences) longest = std::max(longest, sentence.ids.size());
  const std::int64_t length = static_cast<std::int64_t>(longest) + padding;
  const auto rows = static_cast<std::int64_t>(sentences.size());

  Tokens tokens;
  tokens.valid_T = torch::zeros({rows * length}, torch::kBool);
  tokens.id_T = torch::zeros({rows * length}, torch::kInt64);
  tokens.previous_id_T = torch::ones({rows * length}, torch::kInt64);
  tokens.position_T = torch::arange(length).repeat({rows});
  tokens.sentence_T = torch::zeros({rows * length}, torch::kInt64);
  tokens.label_T = torch::zeros({rows * length}, torch::kInt64);
  tokens.direction_T = torch::zeros({rows * length}, torch::kInt64);
  tokens.row_T = torch::arange(rows).repeat_interleave(length);
  tokens.rows = rows;
  tokens.call.phase = phase;
  for (std::int64_t row = 0; row < rows; ++row) {
    const TestSentence& sentence = sentences[static_cast<std::size_t>(row)];
    tokens.sentence_T.slice(0, row * length, (row + 1) * length).fill_(sentence.index);
    for (std::size_t position = 0; position < sentence.ids.size(); ++position) {
      const std::int64_t t = row * length + static_cast<std::int64_t>(position);
      tokens.valid_T[t] = true;
      tokens.id_T[t] = sentence.ids[position];
      tokens.label_T[t] = sentence.ids[position];
      if (position > 0) tokens.previous_id_T[t] = sentence.ids[position - 1];
      ++tokens.valid;
    }
  }
  return tokens;
}

/// One sentence of `count` tokens with ids 0, 1, 2, ...
inline Tokens one_sentence(std::int64_t count, Phase phase = Phase::train) {
  TestSentence sentence;
  for (std::int64_t id = 0; id < count; ++id) sentence.ids.push_back(id);
  return make_tokens({sentence}, 0, phase);
}

/// Turns one token into padding.
inline void make_padding(Tokens& tokens, std::int64_t row) {
  tokens.valid_T[row] = false;
  --tokens.valid;
}

}  // namespace moe
