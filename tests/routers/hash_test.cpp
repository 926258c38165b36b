#include "core/error.h"
#include "core/files.h"
#include "core/temporary_folder.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

torch::Tensor table_of(const Router& router) {
  return router.named_buffers()["table"];
}

torch::Tensor route_ids(Router& router, const std::vector<std::int64_t>& ids) {
  return router.route(torch::zeros({static_cast<std::int64_t>(ids.size()), 2}), make_tokens({{0, ids}}))
      .statistics.choice_T;
}

}  // namespace

TEST_CASE("the random table is the published chain of mixes over seed, layer and id") {
  const auto table = [](std::int64_t layer) {
    return table_of(
        *build("hash", Json::object(), {.layer = layer, .token_counts = std::vector<std::int64_t>(10), .seed = 42}));
  };
  CHECK(table(0).equal(torch::tensor({2, 2, 1, 0, 2, 0, 0, 1, 0, 3}, torch::kInt64)));
  CHECK(table(1).equal(torch::tensor({0, 2, 2, 0, 2, 0, 3, 2, 0, 1}, torch::kInt64)));
}

TEST_CASE("the balanced table gives frequent ids first, each to the lightest expert") {
  const RouterContext context{.token_counts = {50, 20, 15, 10, 5}};
  const auto router = build("hash", {{"experts", 2}, {"table", "balanced"}}, context);
  CHECK(table_of(*router).equal(torch::tensor({0, 1, 1, 1, 1}, torch::kInt64)));
}

TEST_CASE("ties in the balanced table go to the lower id and the lower expert") {
  // By count: id 1 (7) -> 0, id 0 (3) -> 1, id 2 (3) -> 1 (6), id 3 (3) -> 1 (9), id 4 (1) -> 0.
  const RouterContext context{.token_counts = {3, 7, 3, 3, 1}};
  const auto router = build("hash", {{"experts", 2}, {"table", "balanced"}}, context);
  CHECK(table_of(*router).equal(torch::tensor({1, 0, 1, 1, 0}, torch::kInt64)));
}

TEST_CASE("the largest balanced load is at most the mean and the largest count") {
  RouterContext context;
  for (std::int64_t id = 0; id < 500; ++id) context.token_counts.push_back(10000 / (id + 1));
  const auto router = build("hash", {{"experts", 8}, {"table", "balanced"}}, context);
  std::vector<std::int64_t> load(8);
  std::int64_t total = 0;
  for (std::int64_t id = 0; id < 500; ++id) {
    load[static_cast<std::size_t>(table_of(*router)[id].item<std::int64_t>())] +=
        context.token_counts[static_cast<std::size_t>(id)];
    total += context.token_counts[static_cast<std::size_t>(id)];
  }
  CHECK(*std::max_element(load.begin(), load.end()) <= total / 8 + 10000);
}

TEST_CASE("variants hash the previous id, both ids, or the position") {
  const RouterContext context{.token_counts = std::vector<std::int64_t>(10), .seed = 42};
  Tokens tokens = make_tokens({{0, {5, 7, 3}}});
  tokens.previous_id_T = torch::tensor({3, 1, 9}, torch::kInt64);
  const auto choices = [&](const std::string& key) {
    return build("hash", {{"key", key}}, context)->route(torch::zeros({3, 2}), tokens).statistics.choice_T;
  };
  CHECK(choices("id").equal(torch::tensor({0, 1, 0}, torch::kInt64)));
  CHECK(choices("previous").equal(torch::tensor({0, 2, 3}, torch::kInt64)));
  // (5 mod 4 + 23757 mod 4) mod 4, (3 + 7919 mod 4 = 3) mod 4, (3 + 71271 mod 4 = 3) mod 4
  CHECK(choices("bigram").equal(torch::tensor({2, 2, 2}, torch::kInt64)));
  CHECK(choices("position").equal(torch::tensor({0, 1, 2}, torch::kInt64)));
}

TEST_CASE("the expert follows from the id alone, whatever the context, phase and step") {
  const auto router = build("hash", Json::object(), {.token_counts = std::vector<std::int64_t>(10), .seed = 42});
  CHECK(route_ids(*router, {9, 2, 9, 0}).equal(torch::tensor({3, 1, 3, 2}, torch::kInt64)));
  for (const std::int64_t id : {0, 3, 9}) {  // one token at a time, as incremental decoding asks
    CHECK(route_ids(*router, {id})[0].item<std::int64_t>() == table_of(*router)[id].item<std::int64_t>());
  }
  Tokens tokens = make_tokens({{3, {9, 2}}}, 0, Phase::evaluate);
  tokens.call.sample = 4;
  CHECK(router->route(torch::zeros({2, 2}), tokens).statistics.choice_T.equal(torch::tensor({3, 1}, torch::kInt64)));
}

TEST_CASE("weights are 1 and nothing is learned") {
  const auto router = build("hash", Json::object(), {.token_counts = std::vector<std::int64_t>(10)});
  const RoutingPlan plan = router->route(torch::zeros({3, 2}), one_sentence(3));
  CHECK_FALSE(plan.assignment.weight_M.defined());
  CHECK_FALSE(plan.losses.balance.defined());
  CHECK(router->parameters().empty());
}

TEST_CASE("a table from a checkpoint replaces the one that was computed") {
  const auto router = build("hash", Json::object(), {.token_counts = std::vector<std::int64_t>(4)});
  router->named_buffers()["table"].copy_(torch::tensor({3, 2, 1, 0}, torch::kInt64));
  CHECK(route_ids(*router, {0, 1, 2, 3}).equal(torch::tensor({3, 2, 1, 0}, torch::kInt64)));
}

TEST_CASE("an id outside the table is an error") {
  const auto router = build("hash", Json::object(), {.token_counts = std::vector<std::int64_t>(4)});
  CHECK_THROWS_WITH(route_ids(*router, {1, 4}), "Token id 4 is not in the hash table of 4 ids.");
}

TEST_CASE("several hashes send each token to one part of each, by independent tables") {
  const RouterContext context{.token_counts = std::vector<std::int64_t>(1000), .seed = 42};
  const auto router = build("hash", {{"experts", 4}, {"hashes", 2}}, context);
  CHECK(router->layout().count == 8);
  CHECK(router->layout().active == 2);
  CHECK(router->layout().hidden(64) == 32);
  const torch::Tensor table = table_of(*router);
  CHECK(table[0].equal(table_of(*build("hash", Json::object(), context))));
  const double same = (table[0] == table[1]).to(torch::kFloat64).mean().item<double>();
  CHECK(same == Approx(0.25).margin(0.055));  // 4 sigma
  const RoutingPlan plan = router->route(torch::zeros({3, 2}), make_tokens({{0, {7, 8, 9}}}));
  CHECK(plan.assignment.count() == 6);
  const torch::Tensor weights_TE = weight_table(plan, 3);
  for (std::int64_t t = 0; t < 3; ++t) {
    CHECK(weights_TE[t][table[0][7 + t].item<std::int64_t>()].item<double>() == 1);
    CHECK(weights_TE[t][4 + table[1][7 + t].item<std::int64_t>()].item<double>() == 1);
  }
  CHECK_THROWS_WITH(router->layout().hidden(3), "A feed-forward net of width 3 has no 2 equal parts.");
}

TEST_CASE("a table from a file is used as it stands, and one that does not fit is named with its line") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "table.txt";
  const auto build_from = [&](const std::string& text) {
    write_file(file, text);
    return build("hash", {{"table", "file"}, {"table_file", file.string()}}, {.token_counts = {1, 1, 1}});
  };
  CHECK(table_of(*build_from("3\n0\n2\n")).equal(torch::tensor({3, 0, 2}, torch::kInt64)));
  CHECK(table_of(*build_from("3\r\n0\r\n2\r\n")).equal(torch::tensor({3, 0, 2}, torch::kInt64)));
  CHECK_THROWS_WITH(build_from("3\n4\n2\n"), file.string() + ":2: found \"4\", expected an expert from 0 to 3.");
  CHECK_THROWS_WITH(build_from("3\n0 \n2\n"), file.string() + ":2: found \"0 \", expected an expert from 0 to 3.");
  CHECK_THROWS_WITH(build_from("3\n0\n"), file.string() + " has 2 lines for a vocabulary of 3 ids.");
}

TEST_CASE("hash options that exclude each other are refused") {
  for (const Json& options : {Json{{"table", "file"}}, Json{{"table_file", "x"}},
                              Json{{"hashes", 2}, {"key", "bigram"}}, Json{{"hashes", 2}, {"table", "balanced"}}}) {
    ConfigErrors errors;
    find_router("hash").resolve(options, "strategy", errors);
    CHECK(errors.sentences().size() == 1);
  }
}

}  // namespace moe
