#include "harness/run/run_data.h"

#include "data/load_corpus.h"

namespace moe {

RunData load_run_data(const DataSettings& settings, const std::filesystem::path& vocabulary) {
  RunData data{load_corpus(settings), Tokenizer(vocabulary), {}, {}, {}, {}};
  data.train = encode_set(data.corpus, data.corpus.train, data.tokenizer, settings.max_length);
  data.valid = encode_set(data.corpus, data.corpus.valid, data.tokenizer, 0);
  for (const TextSet& set : data.corpus.test) data.test.push_back(encode_set(data.corpus, set, data.tokenizer, 0));
  data.counts = count_tokens(data.train, data.tokenizer.vocabulary_size());
  return data;
}

}  // namespace moe
