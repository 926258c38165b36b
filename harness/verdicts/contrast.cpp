#include "harness/verdicts/contrast.h"

#include "harness/sweep/json_tools.h"
#include "harness/verdicts/pairing.h"
#include "metrics/comparison/hypothesis_tests.h"
#include "metrics/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace moe {
namespace {

/// What a contrast is built from.
struct Work {
  const ClaimSettings& claim;
  std::string place;
  const ResultSet& results;
  Contrast contrast;

  bool failed() const { return !contrast.problem.empty(); }
  void fail(const std::string& key, const std::string& sentence) {
    if (!failed()) contrast.problem = fmt::format("{}.{}: {}", place, key, sentence);
  }
};

/// The block of that key, made where it is new.
ContrastBlock& block_at(std::vector<ContrastBlock>& blocks, const std::string& key, const std::string& name) {
  const auto found = std::find_if(blocks.begin(), blocks.end(), [&](const auto& block) { return block.key == key; });
  return found != blocks.end() ? *found : blocks.emplace_back(ContrastBlock{key, name, {}});
}

std::string experts_text(const RunResult& run) {
  const std::optional<std::int64_t> experts = experts_of(run);
  return experts ? fmt::format("{} experts", *experts) : "";
}

/// "de-en, 4 experts against 2 experts".
std::string block_name(const std::string& conditions, const std::string& a, const std::string& b) {
  const std::string experts = a.empty() || b.empty() || a == b ? (a.empty() ? b : a) : a + " against " + b;
  return conditions.empty() || experts.empty() ? conditions + experts : conditions + ", " + experts;
}

std::string ambiguity(const RunResult& one, const RunResult& other) {
  return fmt::format(
      "matches several runs of one seed that nothing else tells apart, {} and {}; name a key in which "
      "they differ.",
      one.run_id, other.run_id);
}

/// Keeps the seeds that every block has; the runs of the others are left out.
void keep_common_seeds(Contrast& contrast) {
  std::map<std::int64_t, std::size_t> blocks_with;
  for (const ContrastBlock& block : contrast.blocks) {
    for (const auto& [seed, terms] : block.by_seed) ++blocks_with[seed];
  }
  for (ContrastBlock& block : contrast.blocks) {
    std::erase_if(block.by_seed, [&](const auto& entry) {
      const bool incomplete = blocks_with.at(entry.first) < contrast.blocks.size();
      if (incomplete) contrast.unpaired += entry.second.size();
      return incomplete;
    });
  }
}

/// Keys in which two selections differ: what both name with one value, runs are paired by.
std::vector<std::string> differing_keys(const Json& first, const Json& second) {
  std::vector<std::string> keys;
  const auto add = [&](const Json& selection, const Json& other) {
    const std::vector<PathValue> known = leaves(other);
    for (const PathValue& key : leaves(selection)) {
      const bool same = std::any_of(known.begin(), known.end(), [&](const PathValue& one) {
        return one.path == key.path && one.value == key.value;
      });
      if (!same) keys.push_back(key.path);
    }
  };
  add(first, second);
  add(second, first);
  return keys;
}

/// Fails where the runs of one side of a block differ in more than their seed.
void check_constant(Work& work, const ContrastBlock& block) {
  const auto& [first_seed, first_terms] = *block.by_seed.begin();
  for (const auto& [seed, terms] : block.by_seed) {
    for (std::size_t side = 0; side < terms.size() && side < first_terms.size(); ++side) {
      for (const std::string& axis : work.results.axes) {
        const auto value = [&](const Term& term) { return term.run->settings.value(axis, Json()); };
        if (axis == "training.seed" || value(terms[side]) == value(first_terms[side])) continue;
        const bool of_second = side == 1 && work.claim.kind != "grows_with";
        work.fail(of_second ? work.claim.second_name() : work.claim.first_name(),
                  fmt::format("matches runs of seeds {} and {} that differ in {}; name it.", first_seed, seed, axis));
      }
    }
  }
}

/// Blocks of pairs of the two selections, with weight +1 for the first run and -1 for the second.
std::vector<ContrastBlock> pair_blocks(Work& work, const Selection& first, const Selection& second,
                                       const PairingKeys& keys, bool experts_named) {
  std::vector<ContrastBlock> blocks;
  std::set<const RunResult*> partners;
  for (const RunResult* a : first.runs) {
    const std::string conditions = keys.conditions_of(*a);
    bool paired = false;
    for (const RunResult* b : second.runs) {
      const std::optional<std::int64_t> experts_a = experts_of(*a), experts_b = experts_of(*b);
      const bool experts_fit = experts_named || !experts_a || !experts_b || experts_a == experts_b;
      if (a == b || a->seed != b->seed || !experts_fit || keys.conditions_of(*b) != conditions) continue;
      paired = true;
      partners.insert(b);
      const std::string experts = experts_text(*a) + "|" + experts_text(*b);
      ContrastBlock& block = block_at(blocks, conditions + "|" + experts,
                                      block_name(keys.name_of(*a), experts_text(*a), experts_text(*b)));
      const auto [entry, is_new] = block.by_seed.emplace(a->seed, std::vector<Term>{{a, 1}, {b, -1}});
      if (is_new) continue;
      const bool same_b = entry->second[1].run == b;
      work.fail(same_b ? work.claim.first_name() : work.claim.second_name(),
                same_b ? ambiguity(*entry->second[0].run, *a) : ambiguity(*entry->second[1].run, *b));
    }
    if (!paired) ++work.contrast.unpaired;
  }
  for (const RunResult* b : second.runs) work.contrast.unpaired += partners.contains(b) ? 0 : 1;
  for (const ContrastBlock& block : blocks) check_constant(work, block);
  return blocks;
}

double value_of(const Term& term, const std::string& key) {
  return term.run->settings.at(key).get<double>();
}

/// Keeps the seeds that have every value of the key: slopes over different values are no samples of one quantity.
void keep_seeds_with_all_values(Contrast& contrast, ContrastBlock& block, const std::string& key) {
  std::set<double> values;
  for (const auto& [seed, terms] : block.by_seed) {
    for (const Term& term : terms) values.insert(value_of(term, key));
  }
  std::erase_if(block.by_seed, [&](const auto& entry) {
    const bool incomplete = entry.second.size() < std::max<std::size_t>(2, values.size());
    if (incomplete) contrast.unpaired += entry.second.size();
    return incomplete;
  });
}

/// Weighs the runs so that their sum is the least-squares slope over log2 of the key's values.
void weigh_by_slope(std::vector<Term>& terms, const std::string& key) {
  std::sort(terms.begin(), terms.end(),
            [&](const Term& a, const Term& b) { return value_of(a, key) < value_of(b, key); });
  std::vector<double> x;
  for (const Term& term : terms) x.push_back(std::log2(value_of(term, key)));
  const std::vector<double> weights = slope_weights(x);
  for (std::size_t i = 0; i < terms.size(); ++i) terms[i].weight = weights[i];
}

std::vector<ContrastBlock> growth_blocks(Work& work, const Selection& selection, const PairingKeys& keys) {
  const std::string& key = work.claim.key;
  std::vector<ContrastBlock> blocks;
  for (const RunResult* run : selection.runs) {
    const auto value = run->settings.find(key);
    if (value == run->settings.end() || !value->is_number() || value->get<double>() <= 0) {
      work.fail("key", fmt::format("{} is no number above 0 in {}.", key, run->run_id));
      return {};
    }
    const std::string experts = key == "strategy.experts" ? "" : experts_text(*run);
    ContrastBlock& block =
        block_at(blocks, keys.conditions_of(*run) + "|" + experts, block_name(keys.name_of(*run), experts, ""));
    std::vector<Term>& terms = block.by_seed[run->seed];
    for (const Term& term : terms) {
      if (term.run->settings.at(key) == *value) work.fail(work.claim.first_name(), ambiguity(*term.run, *run));
    }
    terms.push_back({run, 0});
  }
  for (ContrastBlock& block : blocks) {
    keep_seeds_with_all_values(work.contrast, block, key);
    for (auto& [seed, terms] : block.by_seed) weigh_by_slope(terms, key);
  }
  std::erase_if(blocks, [](const ContrastBlock& block) { return block.by_seed.empty(); });
  for (const ContrastBlock& block : blocks) check_constant(work, block);
  return blocks;
}

void scale(std::vector<ContrastBlock>& blocks, double factor) {
  for (ContrastBlock& block : blocks) {
    for (auto& [seed, terms] : block.by_seed) {
      for (Term& term : terms) term.weight *= factor;
    }
  }
}

/// For each block that stands under both conditions, the gain under the first less the gain under the second.
std::vector<ContrastBlock> interaction_blocks(Work& work, std::vector<ContrastBlock> under,
                                              std::vector<ContrastBlock> against) {
  scale(against, -1);
  std::vector<ContrastBlock> joined;
  const auto leave_out = [&](const std::vector<Term>& terms) { work.contrast.unpaired += terms.size(); };
  for (ContrastBlock& block : under) {
    const auto other =
        std::find_if(against.begin(), against.end(), [&](const auto& candidate) { return candidate.key == block.key; });
    ContrastBlock& both = joined.emplace_back(ContrastBlock{block.key, block.name, {}});
    for (auto& [seed, terms] : block.by_seed) {
      const bool has_other = other != against.end() && other->by_seed.contains(seed);
      if (!has_other) {
        leave_out(terms);
        continue;
      }
      const std::vector<Term>& more = other->by_seed.at(seed);
      terms.insert(terms.end(), more.begin(), more.end());
      both.by_seed[seed] = std::move(terms);
      other->by_seed.erase(seed);
    }
    if (both.by_seed.empty()) joined.pop_back();
  }
  for (const ContrastBlock& block : against) {
    for (const auto& [seed, terms] : block.by_seed) leave_out(terms);
  }
  return joined;
}

/// Fails for a selection without a run.
void expect_runs(Work& work, const char* key, const Selection& selection) {
  if (!selection.runs.empty()) return;
  work.fail(key, selection.unfinished > 0 ? "matches runs that failed, and no other." : "matches no run.");
}

void check_parameters(Work& work) {
  const auto total = [](const Term& term) {
    return term.run->parameters ? static_cast<double>(term.run->parameters->total) : 0.0;
  };
  for (const ContrastBlock& block : work.contrast.blocks) {
    for (const auto& [seed, terms] : block.by_seed) {
      const double a = total(terms[0]), b = total(terms[1]);
      const double ratio = work.claim.ratio.value_or(1);
      if (b < ratio * a) {
        work.fail("ratio", fmt::format("{} has {:.2f} times the parameters of {}, not at least {:g}.",
                                       terms[1].run->run_id, b / a, terms[0].run->run_id, ratio));
        return;
      }
    }
  }
}

/// The strategies whose runs are used; of a contrast without a pair those that were to be paired.
void name_strategies(Contrast& contrast, const Selection& first, const Selection& second) {
  const std::vector<const RunResult*> used = contrast.runs();
  const auto label = [&](const Selection& selection) {
    std::vector<const RunResult*> runs;
    for (const RunResult* run : selection.runs) {
      if (used.empty() || std::find(used.begin(), used.end(), run) != used.end()) runs.push_back(run);
    }
    return labels_of(runs);
  };
  contrast.first = label(first);
  contrast.second = label(second);
}

std::vector<std::string> joined(std::vector<std::string> keys, const std::vector<std::string>& more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

void build_comparison(Work& work) {
  const ClaimSettings& claim = work.claim;
  const Selection first = select_runs(claim.first(), work.results), second = select_runs(claim.second(), work.results);
  expect_runs(work, claim.first_name(), first);
  expect_runs(work, claim.second_name(), second);
  if (work.failed()) return;
  work.contrast.unpaired = first.unfinished + second.unfinished;
  std::vector<std::string> named = differing_keys(claim.first(), claim.second());
  const bool experts_named = std::find(named.begin(), named.end(), "strategy.experts") != named.end();
  if (claim.kind != "interaction") {
    work.contrast.blocks = pair_blocks(work, first, second, PairingKeys(work.results, named), experts_named);
    name_strategies(work.contrast, first, second);
    if (claim.kind == "ratio_of_parameters") check_parameters(work);
    return;
  }
  named = joined(named, differing_keys(claim.under, claim.against));
  const PairingKeys keys(work.results, named);
  std::vector<std::vector<ContrastBlock>> gains;
  for (const auto& [key, condition] : {std::pair("under", claim.under), std::pair("against", claim.against)}) {
    gains.push_back(pair_blocks(work, narrowed(first, condition), narrowed(second, condition), keys, experts_named));
    if (gains.back().empty()) work.fail(key, "no two runs of a and b belong together there.");
  }
  if (!work.failed()) work.contrast.blocks = interaction_blocks(work, std::move(gains[0]), std::move(gains[1]));
  name_strategies(work.contrast, first, second);
}

void build_growth(Work& work) {
  const Selection selection = select_runs(work.claim.first(), work.results);
  expect_runs(work, work.claim.first_name(), selection);
  if (work.failed()) return;
  work.contrast.unpaired = selection.unfinished;
  const PairingKeys keys(work.results, joined(selection.keys, {work.claim.key}));
  work.contrast.blocks = growth_blocks(work, selection, keys);
  name_strategies(work.contrast, selection, {});
}

}  // namespace

std::vector<std::int64_t> Contrast::seeds() const {
  std::vector<std::int64_t> seeds;
  if (blocks.empty()) return seeds;
  for (const auto& [seed, terms] : blocks.front().by_seed) seeds.push_back(seed);
  return seeds;
}

std::vector<const RunResult*> Contrast::runs() const {
  std::vector<const RunResult*> runs;
  for (const ContrastBlock& block : blocks) {
    for (const auto& [seed, terms] : block.by_seed) {
      for (const Term& term : terms) {
        if (std::find(runs.begin(), runs.end(), term.run) == runs.end()) runs.push_back(term.run);
      }
    }
  }
  return runs;
}

Contrast make_contrast(const ClaimSettings& claim, const std::string& place, const ResultSet& results) {
  Work work{claim, place, results, {}};
  const bool growth = claim.kind == "grows_with";
  growth ? build_growth(work) : build_comparison(work);
  if (work.failed()) {
    work.contrast.blocks.clear();
    return work.contrast;
  }
  keep_common_seeds(work.contrast);
  if (work.contrast.seeds().empty()) {
    work.fail(growth ? "key" : work.claim.second_name(),
              growth ? "no seed has runs with two different values."
                     : fmt::format("no run of {} belongs to one of {}: of the same data, model, training and seed.",
                                   work.contrast.second, work.contrast.first));
    work.contrast.blocks.clear();
  }
  // A metric of which less is better counts the other way round, but for what is said to grow.
  if (!growth && find_metric(claim.metric).better == Better::lower) scale(work.contrast.blocks, -1);
  return work.contrast;
}

Contrast contrast_of_pair(const std::vector<const RunResult*>& first, const std::vector<const RunResult*>& second,
                          const std::string& metric) {
  Contrast contrast;
  contrast.first = labels_of(first);
  contrast.second = labels_of(second);
  ContrastBlock block;
  for (const RunResult* a : first) {
    const auto b =
        std::find_if(second.begin(), second.end(), [&](const RunResult* run) { return run->seed == a->seed; });
    if (b == second.end()) {
      ++contrast.unpaired;
    } else {
      block.by_seed[a->seed] = {{a, 1}, {*b, -1}};
    }
  }
  if (block.by_seed.empty()) {
    contrast.problem = "The two configurations share no seed.";
    return contrast;
  }
  contrast.blocks = {std::move(block)};
  if (find_metric(metric).better == Better::lower) scale(contrast.blocks, -1);
  return contrast;
}

}  // namespace moe
