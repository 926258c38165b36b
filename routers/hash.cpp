// Hash routing (Roller et al. 2021): the expert of a token is looked up by its id in a table that is fixed before
// training. In the decoder the id is that of the decoder's input; the id to be predicted never reaches a router.
// Weight 1, nothing learned, no loss, no limit; training and evaluation are the same. Variants look up the id before,
// or hash both ids or the position.
#include "core/error.h"
#include "routers/router.h"

#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace moe {
namespace {

constexpr std::int64_t bigram_prime = 7919;

struct HashOptions {
  std::int64_t experts = 4;
  std::string table = "random";
  std::string key = "id";

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "table",
                   .help = "an independent uniform expert for each id (random), or ids by falling training frequency, "
                           "each to the expert with the fewest tokens so far (balanced)",
                   .choices = {"random", "balanced"}},
                  table);
    visitor.field({.key = "key",
                   .help = "what is hashed: the token's id by the table, the previous id by the table, both ids "
                           "(bigram: (id mod E + 7919 * previous mod E) mod E), or the position mod E",
                   .choices = {"id", "previous", "bigram", "position"}},
                  key);
  }
};

/// mix(mix(mix(seed) xor layer) xor id) mod E: a table that any other program can compute.
std::vector<std::int64_t> random_table(std::int64_t experts, const RouterContext& context) {
  const RandomStream layer = RandomStream(context.seed).at(context.layer);
  std::vector<std::int64_t> table;
  for (std::int64_t id = 0; id < context.vocabulary_size(); ++id) table.push_back(layer.at(id).below(experts));
  return table;
}

/// Ties: the lower id first, to the lower expert.
std::vector<std::int64_t> balanced_table(std::int64_t experts, const RouterContext& context) {
  const std::vector<std::int64_t>& counts = context.token_counts;
  std::vector<std::int64_t> ids(counts.size());
  std::iota(ids.begin(), ids.end(), std::int64_t{0});
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return counts[a] > counts[b]; });
  std::vector<std::int64_t> load(static_cast<std::size_t>(experts));
  std::vector<std::int64_t> table(counts.size());
  for (const std::int64_t id : ids) {
    const auto lightest = std::min_element(load.begin(), load.end());
    table[id] = lightest - load.begin();
    *lightest += counts[id];
  }
  return table;
}

class HashRouter : public Router {
 public:
  HashRouter(const HashOptions& options, const RouterContext& context)
      : experts_(options.experts),
        key_(options.key),
        table_V_(register_buffer(
            "table", torch::tensor(options.table == "balanced" ? balanced_table(options.experts, context)
                                                               : random_table(options.experts, context)))) {}

  ExpertLayout layout() const override { return {.count = experts_}; }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const auto valid = tokens.valid_T.accessor<bool, 1>();
    const auto expert_of = make_lookup(tokens);
    torch::Tensor expert_T1 = torch::full({tokens.count(), 1}, -1, torch::kInt64);
    auto expert = expert_T1.accessor<std::int64_t, 2>();
    for (std::int64_t t = 0; t < tokens.count(); ++t) {
      if (valid[t]) expert[t][0] = expert_of(t);
    }
    return make_plan(expert_T1, {}, {}, experts_, x_TD.device());
  }

 private:
  /// The expert of a row.
  std::function<std::int64_t(std::int64_t)> make_lookup(const Tokens& tokens) const {
    const auto id = tokens.id_T.accessor<std::int64_t, 1>();
    const auto previous = tokens.previous_id_T.accessor<std::int64_t, 1>();
    const auto position = tokens.position_T.accessor<std::int64_t, 1>();
    if (key_ == "position") return [=, this](std::int64_t t) { return position[t] % experts_; };
    if (key_ == "bigram") {
      return
          [=, this](std::int64_t t) { return (id[t] % experts_ + bigram_prime * previous[t] % experts_) % experts_; };
    }
    const torch::Tensor table_V = table_V_.to(torch::kCPU);
    const auto looked_up = key_ == "id" ? id : previous;
    return [=](std::int64_t t) {
      const std::int64_t found = looked_up[t];
      MOE_CHECK(found >= 0 && found < table_V.size(0), "Token id {} is not in the hash table of {} ids.", found,
                table_V.size(0));
      return table_V.const_data_ptr<std::int64_t>()[found];
    };
  }

  std::int64_t experts_;
  std::string key_;
  torch::Tensor table_V_;
};

}  // namespace

RouterEntry hash_router() {
  return make_router_entry<HashRouter, HashOptions>(
      "hash", "a fixed expert for each token id", "Roller et al. 2021, Hash Layers (arXiv 2106.04426)", Json::object());
}

}  // namespace moe
