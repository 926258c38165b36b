// Hash routing (Roller et al. 2021): the expert of a token is looked up by its id in a table that is fixed before
// training. In the decoder the id is that of the decoder's input; the id to be predicted never reaches a router.
// Weight 1, nothing learned, no loss, no limit; training and evaluation are the same. Variants look up the id before,
// or hash both ids or the position; several hashes each pick a part of the feed-forward net.
#include "core/error.h"
#include "core/files.h"
#include "core/text_lines.h"
#include "routers/choices.h"
#include "routers/option_files.h"
#include "routers/router.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <numeric>

namespace moe {
namespace {

constexpr std::int64_t bigram_prime = 7919;

enum class HashTable { random, balanced, file };
constexpr auto hash_tables = std::to_array<Choice<HashTable>>(
    {{"random", HashTable::random}, {"balanced", HashTable::balanced}, {"file", HashTable::file}});

/// What is hashed.
enum class HashKey { id, previous, bigram, position };
constexpr auto hash_keys = std::to_array<Choice<HashKey>>({
    {"id", HashKey::id},
    {"previous", HashKey::previous},
    {"bigram", HashKey::bigram},
    {"position", HashKey::position},
});

struct HashOptions {
  std::int64_t experts = 4;
  std::string table = "random";
  std::string table_file;
  std::string key = "id";
  std::int64_t hashes = 1;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = 1}, experts);
    visitor.field({.key = "table",
                   .help = "an independent uniform expert for each id (random), or ids by falling training frequency, "
                           "each to the expert with the fewest tokens so far (balanced), or what table_file says",
                   .choices = rule_names(hash_tables)},
                  table);
    visitor.field({.key = "table_file",
                   .help = "for table = file: a text file with the expert of id n in line n + 1, such as "
                           "tools/cluster_table.py makes from a trained model (clustered, dispersed)",
                   .schema = file_schema()},
                  table_file);
    visitor.field({.key = "key",
                   .help = "what is hashed: the token's id by the table, the previous id by the table, both ids "
                           "(bigram: (id mod E + 7919 * previous mod E) mod E), or the position mod E",
                   .choices = rule_names(hash_keys)},
                  key);
    visitor.field({.key = "hashes",
                   .help = "random tables (MultiHash); each picks, for its part of the feed-forward net's width, one "
                           "of `experts` parts",
                   .minimum = 1},
                  hashes);
  }
  void check(const std::string& path, ConfigErrors& errors) const {
    const HashTable made_by = choice_named(hash_tables, table);
    const HashKey hashed = choice_named(hash_keys, key);
    errors.check((made_by == HashTable::file) == !table_file.empty(), join_path(path, "table_file"),
                 "a file is for table = file, and needed there.");
    errors.check(
        hashes == 1 || (made_by == HashTable::random && (hashed == HashKey::id || hashed == HashKey::previous)),
        join_path(path, "hashes"), "several hashes are random tables over an id.");
  }
};

/// mix(mix(mix(seed) xor layer) xor id) mod E: a table that any other program can compute.
/// Further hashes have streams of their own.
std::vector<std::int64_t> random_table(std::int64_t experts, std::int64_t hash, const RouterContext& context) {
  const RandomStream layer = RandomStream(context.seed).at(context.layer);
  const RandomStream stream = hash == 0 ? layer : layer.at("hash").at(hash);
  std::vector<std::int64_t> table;
  for (std::int64_t id = 0; id < context.vocabulary_size(); ++id) table.push_back(stream.at(id).below(experts));
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

/// A line for each id of the vocabulary.
std::vector<std::int64_t> table_of_file(const std::string& file, std::int64_t experts, const RouterContext& context) {
  std::vector<std::int64_t> table;
  for (const std::string& line : split_lines(read_file(file), file).lines) {
    std::int64_t expert = -1;
    const auto end = std::from_chars(line.data(), line.data() + line.size(), expert);
    MOE_CHECK(end.ec == std::errc() && end.ptr == line.data() + line.size() && expert >= 0 && expert < experts,
              "{}:{}: found \"{}\", expected an expert from 0 to {}.", file, table.size() + 1, line, experts - 1);
    table.push_back(expert);
  }
  MOE_CHECK(static_cast<std::int64_t>(table.size()) == context.vocabulary_size(),
            "{} has {} lines for a vocabulary of {} ids.", file, table.size(), context.vocabulary_size());
  return table;
}

/// One table after the other, [hashes, V].
torch::Tensor make_tables(const HashOptions& options, const RouterContext& context) {
  const HashTable table = choice_named(hash_tables, options.table);
  if (table == HashTable::balanced) return torch::tensor(balanced_table(options.experts, context)).unsqueeze(0);
  if (table == HashTable::file) {
    return torch::tensor(table_of_file(options.table_file, options.experts, context)).unsqueeze(0);
  }
  std::vector<torch::Tensor> random_tables;
  for (std::int64_t hash = 0; hash < options.hashes; ++hash) {
    random_tables.push_back(torch::tensor(random_table(options.experts, hash, context), torch::kInt64));
  }
  return torch::stack(random_tables);
}

class HashRouter : public Router {
 public:
  HashRouter(const HashOptions& options, const RouterContext& context)
      : experts_(options.experts),
        hashes_(options.hashes),
        key_(choice_named(hash_keys, options.key)),
        table_(register_buffer("table", make_tables(options, context).squeeze(0))) {}

  ExpertLayout layout() const override {
    return {.count = experts_ * hashes_, .width_divisor = hashes_, .active = hashes_};
  }

  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    const auto valid = tokens.valid_T.accessor<bool, 1>();
    torch::Tensor expert_TH = torch::full({tokens.count(), hashes_}, -1, torch::kInt64);
    auto expert = expert_TH.accessor<std::int64_t, 2>();
    for (std::int64_t hash = 0; hash < hashes_; ++hash) {
      const auto expert_of = make_lookup(tokens, hash);
      for (std::int64_t t = 0; t < tokens.count(); ++t) {
        if (valid[t]) expert[t][hash] = hash * experts_ + expert_of(t);
      }
    }
    return make_plan(expert_TH, {}, {}, experts_ * hashes_, x_TD.device());
  }

 private:
  /// The expert of a row, by one of the tables.
  std::function<std::int64_t(std::int64_t)> make_lookup(const Tokens& tokens, std::int64_t hash) const {
    const auto id = tokens.id_T.accessor<std::int64_t, 1>();
    const auto previous = tokens.previous_id_T.accessor<std::int64_t, 1>();
    const auto position = tokens.position_T.accessor<std::int64_t, 1>();
    if (key_ == HashKey::position) return [=, this](std::int64_t t) { return position[t] % experts_; };
    if (key_ == HashKey::bigram) {
      return
          [=, this](std::int64_t t) { return (id[t] % experts_ + bigram_prime * previous[t] % experts_) % experts_; };
    }
    const torch::Tensor table_V = (hashes_ == 1 ? table_ : table_[hash]).to(torch::kCPU);
    const auto looked_up = key_ == HashKey::id ? id : previous;
    return [=](std::int64_t t) {
      const std::int64_t found = looked_up[t];
      MOE_CHECK(found >= 0 && found < table_V.size(0), "Token id {} is not in the hash table of {} ids.", found,
                table_V.size(0));
      return table_V.const_data_ptr<std::int64_t>()[found];
    };
  }

  std::int64_t experts_, hashes_;
  HashKey key_;
  torch::Tensor table_;  ///< [V], with several hashes [hashes, V]
};

}  // namespace

RouterEntry hash_router() {
  return make_router_entry<HashRouter, HashOptions>(
      "hash", "a fixed expert for each token id", "Roller et al. 2021, Hash Layers (arXiv 2106.04426)", Json::object());
}

}  // namespace moe
