#include "harness/verdicts/verdicts.h"

#include "core/error.h"
#include "metrics/table.h"
#include "tests/harness/verdicts/fixture.h"

namespace moe {
TEST_CASE("a clear difference is supported one way and contradicted the other") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  Json reversed = claim("better");
  std::swap(reversed["a"], reversed["b"]);
  reversed["id"] = "reversed";
  const std::vector<Verdict> verdicts = verdicts_on(folder, {claim("better"), reversed});
  CHECK(verdicts[0].verdict == VerdictKind::supported);
  CHECK(verdicts[1].verdict == VerdictKind::contradicted);
  const Evidence& evidence = *verdicts[0].evidence;
  CHECK(evidence.effect == Approx(0.1).margin(0.01));
  CHECK(evidence.effect == Approx(-verdicts[1].evidence->effect));
  CHECK(evidence.seeds == 3);
  CHECK(evidence.sentences == 200);
  REQUIRE(evidence.seeds_interval);
  REQUIRE(evidence.sentences_interval);
  CHECK(evidence.seeds_interval->low > 0);
  CHECK(evidence.sentences_interval->low > 0);
  CHECK(evidence.seeds_interval->low < evidence.effect);
  CHECK(evidence.p == std::max(evidence.seeds_p, evidence.sentences_p));
  CHECK(evidence.holm_p >= evidence.p);
  CHECK(verdicts[0].runs.size() == 6);
  CHECK_THAT(verdicts[0].sentence,
             has_text("thor is better than switch in loss: supported. thor is better than switch by 0.1") &&
                 has_text("nats per token") && has_text("3 seeds") && has_text("200 sentences"));
  CHECK_THAT(verdicts[1].sentence, has_text("contradicted. switch is worse than thor by 0.1"));
}

TEST_CASE("a margin that the difference does not exceed leaves a claim undecided or contradicts it") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  const auto with_margin = [&](double margin) {
    return verdicts_on(folder, {claim("better", {{"margin", margin}})})[0];
  };
  CHECK(with_margin(0.05).verdict == VerdictKind::supported);
  CHECK(with_margin(0.1).verdict == VerdictKind::undecided);
  CHECK(with_margin(0.1).open_by_sentences);
  CHECK(with_margin(0.2).verdict == VerdictKind::contradicted);
  CHECK_THAT(with_margin(0.2).sentence, !has_text("equal within"));
}

TEST_CASE("where seeds leave a claim open, so many more of them would decide it") {
  const ResultFolder folder;
  for (const auto& [seed, gain] : {std::pair(1, 0.02), std::pair(2, 0.1), std::pair(3, 0.06)}) {
    write_loss_run(folder, {{"thor", "thor", 4, seed}, 2.1 - gain});
    write_loss_run(folder, {{"switch", "switch", 4, seed}, 2.1});
  }
  const Verdict verdict = verdicts_on(folder, {claim("better")})[0];
  CHECK(verdict.verdict == VerdictKind::undecided);
  REQUIRE(verdict.seeds_to_decide);
  CHECK(*verdict.seeds_to_decide > 3);
  CHECK(*verdict.seeds_to_decide < 12);
  CHECK_THAT(verdict.sentence, has_text("seeds would be needed for 80 % power at the spread seen, where 3 were run"));
}

TEST_CASE("equality within delta supports equal and contradicts better") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.0, 5, 0.001);
  const std::vector<Verdict> verdicts = verdicts_on(folder, {claim("equal", {{"delta", 0.02}}), claim("better")});
  CHECK(verdicts[0].verdict == VerdictKind::supported);
  CHECK(verdicts[0].delta == 0.02);
  CHECK(verdicts[1].verdict == VerdictKind::contradicted);
  CHECK_THAT(verdicts[1].sentence, has_text("They are equal within 0.020 nats per token"));
  const ResultFolder apart;
  write_pair(apart, 2.0, 2.1, 3);
  CHECK(verdicts_on(apart, {claim("equal")})[0].verdict == VerdictKind::contradicted);
}

TEST_CASE("fewer than three seeds, an undertrained run and missing sentences are untestable, with the reason") {
  const ResultFolder two;
  write_pair(two, 2.0, 2.1, 2);
  const Verdict few = verdicts_on(two, {claim("better")})[0];
  CHECK(few.verdict == VerdictKind::untestable);
  CHECK(few.evidence->effect == Approx(0.1).margin(0.01));
  CHECK_THAT(few.sentence, has_text("untestable. 2 seeds where 3 are needed."));

  const ResultFolder young;
  write_pair(young, 2.0, 2.1, 2);
  for (const char* router : {"thor", "switch"}) {
    LossRun run{{router, router, 4, 3}};
    run.undertrained = router == std::string("thor");
    write_loss_run(young, run);
  }
  CHECK_THAT(verdicts_on(young, {claim("better")})[0].sentence, has_text("thor-e4-s3-de-en-64 is undertrained."));

  const ResultFolder old;
  write_pair(old, 2.0, 2.1, 2);
  for (const char* router : {"thor", "switch"}) {
    LossRun run{{router, router, 4, 3}};
    run.with_sentences = false;
    write_loss_run(old, run);
  }
  CHECK_THAT(verdicts_on(old, {claim("better")})[0].sentence,
             has_text("has no scores of single sentences; run it again."));
  CHECK_THAT(verdicts_on(old, {claim("better", {{"metric", "calibrated_loss"}})})[0].sentence,
             has_text("has no calibrated_loss."));
}

TEST_CASE("selections that are empty, unpaired or ambiguous say so with their JSON path") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  write_loss_run(folder, {{"hash", "hash", 4, 9}});
  const auto sentence = [&](const Json& more) { return verdicts_on(folder, {claim("better", more)})[0].sentence; };
  CHECK_THAT(sentence({{"a", {{"strategy.router", "smoe"}}}}), has_text("untestable. claims[0].a: matches no run."));
  CHECK_THAT(sentence({{"b", {{"strategy.router", "hash"}}}}),
             has_text("claims[0].b: no run of hash belongs to one of thor"));
  CHECK_THAT(sentence({{"b", {{"strategy.router", {"switch", "hash"}}}}}), !has_text("claims[0]"));
  CHECK(verdicts_on(folder, {claim("better", {{"b", {{"strategy.router", {"switch", "hash"}}}}})})[0].unpaired == 1);
  write_loss_run(folder, {{"hash", "hash", 4, 1}});
  CHECK_THAT(sentence({{"a", {{"strategy.router", {"thor", "hash"}}}}}),
             has_text("claims[0].a: matches several runs of one seed"));
  CHECK_THAT(sentence({{"b", {{"strategy.router", {"switch", "hash"}}}}}),
             has_text("claims[0].b: matches several runs of one seed"));
}

TEST_CASE("runs are paired by data, experts and seed, and each pairing is a block") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3, 0.002, 0.25, 2);
  write_pair(folder, 2.0, 2.1, 3, 0.002, 0.25, 4);
  write_pair(folder, 2.0, 2.2, 3, 0.002, 0.5, 4);
  const Verdict verdict = verdicts_on(folder, {claim("better")})[0];
  REQUIRE(verdict.evidence);
  REQUIRE(verdict.evidence->blocks.size() == 3);
  CHECK(verdict.evidence->blocks[0].name == "train_share 0.25, 2 experts");
  CHECK(verdict.evidence->effect == Approx((0.1 + 0.1 + 0.2) / 3).margin(0.01));
  CHECK(verdict.evidence->sentences == 200);  // one test set, whatever the share of the training set

  const Verdict interaction = verdicts_on(
      folder,
      {claim("interaction", {{"under", {{"data.train_share", 0.5}}}, {"against", {{"data.train_share", 0.25}}}})})[0];
  CHECK(interaction.verdict == VerdictKind::supported);
  CHECK(interaction.evidence->effect == Approx(0.1).margin(0.01));

  const Verdict growth =
      verdicts_on(folder, {claim("grows_with", {{"a", {{"strategy.router", "switch"}, {"strategy.experts", 4}}},
                                                {"key", "data.train_share"}})})[0];
  CHECK(growth.verdict == VerdictKind::supported);
  CHECK(growth.evidence->effect == Approx(0.1).margin(0.03));
}

TEST_CASE("growth is measured by seeds that have every value of the key, whatever name the runs have in the claim") {
  const ResultFolder folder;
  for (const double share : {0.25, 0.5, 1.0}) {
    for (int seed = 1; seed <= 4; ++seed) {
      if (seed == 4 && share == 1.0) continue;  // its slope would be that of the steeper part
      const double noise = 0.002 * RandomStream(3).at(seed).at(std::lround(8 * share)).normal();
      write_loss_run(
          folder,
          {{"switch", "switch", 4, seed}, 2.5 - 0.1 * std::log2(share) * std::log2(share) + noise, 0.05, share});
      write_loss_run(folder, {{"thor", "thor", 4, seed}, 2.0, 0.05, share});
    }
  }
  const Json runs = {{"strategy.router", "switch"}};
  for (const char* name : {"a", "better"}) {
    Json growth = claim("grows_with", {{"key", "data.train_share"}});
    growth.erase("a");
    growth[name] = runs;
    const Verdict verdict = verdicts_on(folder, {growth})[0];
    REQUIRE(verdict.evidence);
    CHECK(verdict.evidence->seeds == 3);
    CHECK(verdict.evidence->effect == Approx(0.2).margin(0.02));
    CHECK(verdict.unpaired == 2);
    CHECK_THAT(verdict.sentence, has_text("switch") && !has_text("thor"));
  }
}

TEST_CASE("what an override sets for a strategy does not keep its runs from their partners") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  for (int seed = 1; seed <= 3; ++seed) {
    const auto file = folder.path() / fmt::format("runs/thor-e4-s{}-de-en-64/result.json", seed);
    Json result = read_json(file);
    result["config"]["model"]["dropout"] = 0.15;
    write_file(file, format_json(result));
    const auto other = folder.path() / fmt::format("runs/switch-e4-s{}-de-en-64/result.json", seed);
    result = read_json(other);
    result["config"]["model"]["dropout"] = 0.3;
    write_file(other, format_json(result));
  }
  CHECK_THAT(verdicts_on(folder, {claim("better")})[0].sentence, has_text("belongs to one of thor"));
  const Json overrides = {{{"where", {{"strategy.router", "thor"}}}, {"set", {{"model.dropout", 0.15}}}}};
  CHECK(verdicts_on(folder, {claim("better")}, overrides)[0].verdict == VerdictKind::supported);
}

TEST_CASE("losses of different objectives do not compare, and a verdict on them says so") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  CHECK_THAT(verdicts_on(folder, {claim("better")})[0].sentence, !has_text("different objectives"));
  for (int seed = 1; seed <= 3; ++seed) {
    const auto file = folder.path() / fmt::format("runs/thor-e4-s{}-de-en-64/result.json", seed);
    Json result = read_json(file);
    result["config"]["strategy"]["objective"] = {{"passes", 2}, {"consistency", 5.0}};
    write_file(file, format_json(result));
  }
  CHECK_THAT(verdicts_on(folder, {claim("better")})[0].sentence, has_text("different objectives"));
  CHECK_THAT(verdicts_on(folder, {claim("better", {{"metric", "bleu"}})})[0].sentence,
             !has_text("different objectives"));
}

TEST_CASE("equal quality at a fraction of the parameters") {
  const ResultFolder folder;  // the fixture's parameters grow with the experts
  for (int seed = 1; seed <= 3; ++seed) {
    const double noise = 0.002 * RandomStream(1).at(seed).normal();
    write_loss_run(folder, {{"thor", "thor", 2, seed}, 2.0 + noise});
    write_loss_run(folder, {{"switch", "switch", 8, seed}, 2.0 - noise});
  }
  const auto with_ratio = [&](double ratio) {
    return verdicts_on(
        folder, {claim("ratio_of_parameters", {{"ratio", ratio},
                                               {"a", {{"strategy.router", "thor"}, {"strategy.experts", 2}}},
                                               {"b", {{"strategy.router", "switch"}, {"strategy.experts", 8}}}})})[0];
  };
  CHECK(with_ratio(4).verdict == VerdictKind::supported);
  CHECK_THAT(with_ratio(4.5).sentence, has_text("claims[0].ratio: ") && has_text("4.00 times the parameters"));
}

TEST_CASE("a damaged file of sentence scores makes a claim untestable, no more") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  const auto file = folder.path() / "runs/thor-e4-s2-de-en-64/sentences/test.csv";
  const std::string whole = read_file(file);
  const std::size_t number = whole.find('\n') + 1;
  write_file(file, whole.substr(0, number) + "nan" + whole.substr(whole.find(',', number)));
  CHECK_THAT(verdicts_on(folder, {claim("better")})[0].sentence,
             has_text("untestable. " + file.string() + ":2: a score that is not a finite number."));
  write_file(file, whole);
  write_file(file, read_file(file).substr(0, 2000));
  CHECK_THAT(verdicts_on(folder, {claim("better")})[0].sentence, has_text("untestable. " + file.string()));
  std::filesystem::remove(file);
  CHECK(verdicts_on(folder, {claim("better")})[0].verdict == VerdictKind::untestable);
}

TEST_CASE("a claim that is not written as claims are says so, and leaves the others alone") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  const std::vector<Verdict> verdicts = verdicts_on(
      folder, {claim("better", {{"id", "odd"}, {"says", "Odd"}, {"metric", "blue"}}), Json(3), claim("better")});
  REQUIRE(verdicts.size() == 3);
  CHECK_THAT(verdicts[0].sentence, has_text("Odd: untestable. claims[0].metric: found \"blue\""));
  CHECK(verdicts[1].verdict == VerdictKind::untestable);
  CHECK(verdicts[2].verdict == VerdictKind::supported);
}

TEST_CASE("a sweep file of another form is passed over or named") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  const auto read = [&](const std::string& sweep) {
    write_file(folder.path() / "sweep.json", sweep);
    return read_results({folder.path()}, router_names());
  };
  CHECK(make_verdicts(read("[1]"), {}).empty());
  const ResultSet odd = read(R"({"claims": {"id": 1}, "overrides": [1]})");
  CHECK(make_verdicts(odd, {}).empty());
  REQUIRE(odd.left_out.size() == 2);
  CHECK_THAT(odd.left_out[0], has_text("sweep.json: claims: found {"));
}

TEST_CASE("seeds of one side that differ in a setting are no seeds of one configuration") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 4);
  for (int seed = 1; seed <= 4; ++seed) {
    const auto file = folder.path() / fmt::format("runs/thor-e4-s{}-de-en-64/result.json", seed);
    Json result = read_json(file);
    result["config"]["model"]["dropout"] = seed < 3 ? 0.15 : 0.3;
    write_file(file, format_json(result));
    const auto other = folder.path() / fmt::format("runs/switch-e4-s{}-de-en-64/result.json", seed);
    result = read_json(other);
    result["config"]["model"]["dropout"] = 0.1;
    write_file(other, format_json(result));
  }
  const Json overrides = {{{"where", {{"strategy.router", "thor"}}}, {"set", {{"model.dropout", 0.15}}}}};
  CHECK_THAT(verdicts_on(folder, {claim("better")}, overrides)[0].sentence,
             has_text("claims[0].a: matches runs of seeds 1 and 3 that differ in model.dropout; name it."));
}

TEST_CASE(
    "selections that name a key alike are paired by it, and an interaction by what stands under both conditions") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3, 0.002, 0.25, 2);
  write_pair(folder, 2.0, 2.1, 3, 0.002, 0.25, 4);
  write_pair(folder, 2.0, 2.3, 3, 0.002, 0.5, 4);
  const Json both = {{"strategy.experts", {2, 4}}, {"data.train_share", {0.25, 0.5}}};
  Json a = {{"strategy.router", "thor"}}, b = {{"strategy.router", "switch"}};
  a.update(both);
  b.update(both);
  const Verdict verdict = verdicts_on(folder, {claim("better", {{"a", a}, {"b", b}})})[0];
  REQUIRE(verdict.evidence);
  CHECK(verdict.evidence->blocks.size() == 3);
  const Verdict interaction = verdicts_on(
      folder,
      {claim("interaction", {{"under", {{"data.train_share", 0.5}}}, {"against", {{"data.train_share", 0.25}}}})})[0];
  REQUIRE(interaction.evidence);
  CHECK(interaction.evidence->effect == Approx(0.2).margin(0.01));  // with 2 experts there is one condition alone
  CHECK(interaction.unpaired == 6);
}

TEST_CASE("what the sentences leave open, no seed decides, and what was not measured has no number") {
  const ResultFolder folder;
  for (int seed = 1; seed <= 3; ++seed) {
    write_loss_run(folder, {{"thor", "thor", 4, seed}, 2.0, 1.5}, 40);
    write_loss_run(folder, {{"switch", "switch", 4, seed}, 2.03, 1.5}, 40);
  }
  const Verdict open = verdicts_on(folder, {claim("better")})[0];
  CHECK(open.verdict == VerdictKind::undecided);
  CHECK(open.open_by_sentences);
  CHECK_THAT(open.sentence, has_text("More seeds alone would not decide it"));
  const Verdict unmeasured = verdicts_on(folder, {claim("better", {{"metric", "calibrated_loss"}})})[0];
  CHECK_FALSE(unmeasured.evidence);
  CHECK(unmeasured.looks == 0);
}

TEST_CASE("seeds may show an equality that the sentences already show") {
  const ResultFolder folder;
  for (const auto& [seed, gain] : {std::pair(1, -0.022), std::pair(2, 0.0), std::pair(3, 0.022)}) {
    write_loss_run(folder, {{"thor", "thor", 4, seed}, 2.0});
    write_loss_run(folder, {{"switch", "switch", 4, seed}, 2.0 + gain});
  }
  const Verdict verdict = verdicts_on(folder, {claim("better")})[0];
  CHECK(verdict.verdict == VerdictKind::undecided);
  CHECK_FALSE(verdict.open_by_sentences);
  REQUIRE(verdict.seeds_to_decide);
  CHECK(*verdict.seeds_to_decide > 3);
}

TEST_CASE("every metric that claims may name is found in results and sentences") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  for (const std::string& metric : metrics_in_claims()) {
    CAPTURE(metric);
    const Verdict verdict = verdicts_on(folder, {claim("better", {{"metric", metric}})})[0];
    if (metric == "calibrated_loss") continue;  // the fixture's results have none, and the sentence says so
    CHECK(verdict.evidence);
  }
}

TEST_CASE("results without claims have no verdicts") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 1);
  CHECK(verdicts_on(folder, {}).empty());
}

}  // namespace moe
