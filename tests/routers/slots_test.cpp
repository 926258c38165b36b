#include "routers/slots.h"

#include "core/error.h"
#include "core/random.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

CapacityOptions slots_with_factor(double factor) {
  CapacityOptions options;
  options.capacity_factor = factor;
  return options;
}

CapacityOptions with_slots(std::int64_t slots, const std::string& group = "batch") {
  CapacityOptions options;
  options.capacity = slots;
  options.group = group;
  return options;
}

/// The definition of fill_slots word by word. `count_dropped` tells whether an earlier choice that found no slot still
/// moves later ones on (as in fairseq and DeepSpeed) or not (as in Mesh-TF): every decision is the same.
torch::Tensor fill_slots_slowly(const torch::Tensor& expert_TK, std::int64_t experts, const Capacity& capacity,
                                const Tokens& tokens, bool count_dropped) {
  const Groups groups = make_groups(capacity.group, tokens);
  torch::Tensor kept_TK = torch::zeros(expert_TK.sizes(), torch::kBool);
  struct Earlier {
    std::int64_t group, expert;
    bool kept;
  };
  std::vector<Earlier> earlier;
  for (std::int64_t k = 0; k < expert_TK.size(1); ++k) {
    for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
      const auto expert = expert_TK[t][k].item<std::int64_t>();
      if (expert < 0) continue;
      const std::int64_t group = groups.of_token[static_cast<std::size_t>(t)];
      const auto ahead = std::count_if(earlier.begin(), earlier.end(), [&](const Earlier& other) {
        return other.group == group && other.expert == expert && (count_dropped || other.kept);
      });
      const auto slots = capacity_of(capacity, tokens.call.phase, expert_TK.size(1),
                                     groups.valid_tokens[static_cast<std::size_t>(group)], experts);
      const bool kept = !slots || ahead < *slots;
      kept_TK[t][k] = kept;
      earlier.push_back({group, expert, kept});
    }
  }
  return kept_TK;
}

/// K different experts for each valid token, a later choice sometimes missing.
torch::Tensor random_choices(std::int64_t choices, std::int64_t experts, const Tokens& tokens, RandomStream stream) {
  torch::Tensor expert_TK = torch::full({tokens.count(), choices}, -1, torch::kInt64);
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!tokens.valid_T[t].item<bool>()) continue;
    const std::int64_t first = stream.at(t).below(experts);
    for (std::int64_t k = 0; k < choices; ++k) {
      if (k > 0 && stream.at(t).at(k).below(4) == 0) continue;
      expert_TK[t][k] = (first + k) % experts;
    }
  }
  return expert_TK;
}

}  // namespace

TEST_CASE("groups are the batch or its sentences, and count valid tokens alone") {
  const Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {8}}});
  CHECK(make_groups(Grouping::batch, tokens).of_token == std::vector<std::int64_t>{0, 0, 0, 0, 0, 0});
  CHECK(make_groups(Grouping::batch, tokens).valid_tokens == std::vector<std::int64_t>{4});
  CHECK(make_groups(Grouping::sentence, tokens).of_token == std::vector<std::int64_t>{0, 0, 0, 1, 1, 1});
  CHECK(make_groups(Grouping::sentence, tokens).valid_tokens == std::vector<std::int64_t>{3, 1});
}

TEST_CASE("an expert keeps its first C choices in token order") {
  const torch::Tensor expert_T1 = torch::tensor({0, 0, 1, 0, 2, 0}, torch::kInt64).unsqueeze(1);
  const torch::Tensor kept_T1 = fill_slots(expert_T1, 3, Capacity(with_slots(2)), one_sentence(6));
  CHECK(kept_T1.squeeze(1).equal(torch::tensor({true, true, true, false, true, false})));
}

TEST_CASE("all first choices come before any second choice") {
  // Expert 1 has one slot: the first choice of the last token takes it from the second choice of the first one.
  const torch::Tensor expert_TK = torch::tensor({{0, 1}, {1, 0}}, torch::kInt64);
  const torch::Tensor kept_TK = fill_slots(expert_TK, 2, Capacity(with_slots(1)), one_sentence(2));
  CHECK(kept_TK.equal(torch::tensor({{true, false}, {true, false}})));
}

TEST_CASE("with sentences as groups each sentence has its own slots, by its own length") {
  const Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {8}}});
  const torch::Tensor expert_T1 = torch::tensor({0, 0, 0, 0, -1, -1}, torch::kInt64).unsqueeze(1);
  CHECK(fill_slots(expert_T1, 2, Capacity(with_slots(2, "sentence")), tokens)
            .squeeze(1)
            .equal(torch::tensor({true, true, false, true, false, false})));
  CapacityOptions options = slots_with_factor(1.0);  // ceil(3 / 2) = 2 and ceil(1 / 2) = 1 slots
  options.group = "sentence";
  CHECK(fill_slots(expert_T1, 2, Capacity(options), tokens)
            .squeeze(1)
            .equal(torch::tensor({true, true, false, true, false, false})));
}

TEST_CASE("filling slots agrees with its definition, and counting dropped choices or not makes no difference") {
  for (std::int64_t trial = 0; trial < 200; ++trial) {
    const RandomStream stream = RandomStream(7).at(trial);
    const std::int64_t experts = 1 + stream.at(0).below(5);
    const std::int64_t choices = 1 + stream.at(1).below(std::min<std::int64_t>(3, experts));
    std::vector<TestSentence> sentences;
    for (std::int64_t row = 0; row < 3; ++row) {
      sentences.push_back({row, std::vector<std::int64_t>(static_cast<std::size_t>(stream.at(2).at(row).below(7)), 5)});
    }
    const Tokens tokens = make_tokens(sentences, 1);
    CapacityOptions options = slots_with_factor(0.25 + stream.at(3).uniform() * 1.5);
    if (stream.at(4).below(2) == 0) options.group = "sentence";
    const torch::Tensor expert_TK = random_choices(choices, experts, tokens, stream.at(5));

    const torch::Tensor kept_TK = fill_slots(expert_TK, experts, Capacity(options), tokens);
    CAPTURE(trial);
    REQUIRE(kept_TK.equal(fill_slots_slowly(expert_TK, experts, Capacity(options), tokens, true)));
    REQUIRE(kept_TK.equal(fill_slots_slowly(expert_TK, experts, Capacity(options), tokens, false)));
  }
}

TEST_CASE("each order of filling keeps who it says") {
  // Fixture A, first choices: experts 0, 0, 1, 0, 2, 0, and expert 0 has two slots.
  const torch::Tensor expert_T1 = torch::tensor({0, 0, 1, 0, 2, 0}, torch::kInt64).unsqueeze(1);
  const FillKeys keys{torch::tensor({.665241, .708217, .665241, .909443, .665241, .574097}).unsqueeze(1), {}};
  const auto kept_by = [&](const std::string& fill) {
    CapacityOptions options = with_slots(2);
    options.fill = fill;
    return fill_slots(expert_T1, 3, Capacity(options), one_sentence(6), keys).squeeze(1);
  };
  CHECK(kept_by("position").equal(torch::tensor({true, true, true, false, true, false})));
  CHECK(kept_by("bpr").equal(torch::tensor({false, true, true, true, true, false})));
  CHECK(kept_by("per_expert_prob").equal(torch::tensor({false, true, true, true, true, false})));
}

TEST_CASE("bpr gives first choices their slots before any second, per_expert_prob goes by probability alone") {
  // Expert 1 has one slot, wanted first by token 1 (0.5) and second by token 0 (0.6 on its first, 0.55 on this one).
  const torch::Tensor expert_TK = torch::tensor({{0, 1}, {1, 0}}, torch::kInt64);
  const FillKeys keys{torch::tensor({{.6, .55}, {.5, .4}}), {}};
  CapacityOptions options = with_slots(1);
  options.fill = "bpr";
  CHECK(fill_slots(expert_TK, 2, Capacity(options), one_sentence(2), keys)
            .equal(torch::tensor({{true, false}, {true, false}})));
  options.fill = "per_expert_prob";
  CHECK(fill_slots(expert_TK, 2, Capacity(options), one_sentence(2), keys)
            .equal(torch::tensor({{true, true}, {false, false}})));
}

TEST_CASE("equal probabilities are served in token order") {
  const torch::Tensor expert_T1 = torch::zeros({5, 1}, torch::kInt64);
  for (const std::string fill : {"bpr", "per_expert_prob"}) {
    CapacityOptions options = with_slots(2);
    options.fill = fill;
    CHECK(fill_slots(expert_T1, 1, Capacity(options), one_sentence(5), {torch::full({5, 1}, 0.5), {}})
              .squeeze(1)
              .equal(torch::tensor({true, true, false, false, false})));
  }
}

TEST_CASE("random order keeps as many as there are slots, each token as often as any other") {
  const torch::Tensor expert_T1 = torch::tensor({0, 0, 0, 0, 1, -1}, torch::kInt64).unsqueeze(1);
  CapacityOptions options = with_slots(2);
  options.fill = "random";
  torch::Tensor kept_T = torch::zeros({6}, torch::kInt64);
  constexpr int trials = 4000;
  for (int trial = 0; trial < trials; ++trial) {
    const FillKeys keys{{}, RandomStream(1).at(trial)};
    const torch::Tensor kept_T1 = fill_slots(expert_T1, 2, Capacity(options), one_sentence(6), keys);
    REQUIRE(kept_T1.sum().item<std::int64_t>() == 3);
    kept_T += kept_T1.squeeze(1);
  }
  for (std::int64_t t = 0; t < 4; ++t) CHECK(std::abs(kept_T[t].item<double>() - trials / 2.0) < 130);  // 4 sigma
  CHECK(kept_T[4].item<std::int64_t>() == trials);
  CHECK(kept_T[5].item<std::int64_t>() == 0);
}

TEST_CASE("with enough slots every order keeps everything") {
  const Tokens tokens = one_sentence(6);
  const torch::Tensor expert_TK = random_choices(2, 3, tokens, RandomStream(3));
  for (const std::string fill : {"position", "bpr", "per_expert_prob", "random"}) {
    CapacityOptions options = with_slots(6);
    options.fill = fill;
    CHECK(fill_slots(expert_TK, 3, Capacity(options), tokens, {uniform_noise({6, 2}, 0), RandomStream(1)})
              .equal(expert_TK >= 0));
  }
}

TEST_CASE("who finds no slot is offered the next best expert") {
  const torch::Tensor candidate_TR = torch::tensor({{0, 1}, {0, 1}, {0, 2}, {0, 1}, {-1, -1}}, torch::kInt64);
  const NextBest result = fill_next_best(candidate_TR, 3, Capacity(with_slots(1)), one_sentence(5));
  CHECK(result.expert_T1.squeeze(1).equal(torch::tensor({0, 1, 2, 0, -1}, torch::kInt64)));
  CHECK(result.kept_T1.squeeze(1).equal(torch::tensor({true, true, true, false, false})));
}

}  // namespace moe
