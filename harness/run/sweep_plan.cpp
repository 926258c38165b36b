#include "harness/run/sweep_plan.h"

#include "data/load_corpus.h"
#include "data/text_corpus.h"
#include "data/tokenizer.h"

#include <algorithm>

namespace moe {

SweepPlan plan_sweep(const Sweep& sweep, const std::filesystem::path& out) {
  SweepPlan plan;
  std::vector<Json> keys;
  for (const RunSpec& spec : sweep.runs) {
    const Json key = write_settings(spec.data);
    const auto found = std::find(keys.begin(), keys.end(), key);
    const auto index = static_cast<std::size_t>(found - keys.begin());
    if (found == keys.end()) {
      keys.push_back(key);
      Corpus corpus = load_corpus(spec.data);
      std::string digest = corpus_digest(spec.data, corpus);
      std::filesystem::path vocabulary = train_tokenizer(spec.data, corpus, out / "vocabulary");
      FileDigests texts = text_digests(spec.data, corpus);
      plan.data.push_back({spec.data, std::move(corpus), std::move(digest), std::move(texts), std::move(vocabulary)});
    }
    const RunInputs inputs{plan.data[index].digest, digest_files(spec.strategy)};
    const std::string id = run_id(spec, with_files(inputs.data, inputs.files));
    // Two folders with the same content make the same run.
    const bool planned = std::any_of(plan.runs.begin(), plan.runs.end(), [&](const auto& run) { return run.id == id; });
    if (planned) continue;
    plan.runs.push_back({spec, id, inputs, {out / "runs" / id}, index});
  }
  return plan;
}

}  // namespace moe
