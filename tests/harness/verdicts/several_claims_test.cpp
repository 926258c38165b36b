// What verdicts owe to the claims beside them, to earlier looks, and to texts that several directions share.

#include "tests/harness/verdicts/fixture.h"

namespace moe {

TEST_CASE("to show that one pair is equal makes it no easier to call another different") {
  const ResultFolder folder;
  for (const auto& [seed, gain] : {std::pair(1, 0.055), std::pair(2, 0.08), std::pair(3, 0.105)}) {
    write_loss_run(folder, {{"thor", "thor", 4, seed}, 2.1 - gain, 0.002});
    write_loss_run(folder, {{"switch", "switch", 4, seed}, 2.1, 0.002});
    write_loss_run(folder, {{"random", "random", 4, seed}, 2.1, 0.002});
    write_loss_run(folder, {{"hash", "hash", 4, seed}, 2.1, 0.002});
  }
  const Json equal_pair =
      claim("better", {{"id", "equal"}, {"a", {{"strategy.router", "random"}}}, {"b", {{"strategy.router", "hash"}}}});
  CHECK(verdicts_on(folder, {claim("better")})[0].verdict == VerdictKind::supported);
  const std::vector<Verdict> both = verdicts_on(folder, {claim("better"), equal_pair});
  CHECK(both[1].by_equality);
  CHECK(both[0].evidence->p.value() > 0.025);
  CHECK(both[0].evidence->holm_p == Approx(2 * both[0].evidence->p.value()));
  CHECK(both[0].verdict == VerdictKind::undecided);
}

TEST_CASE("one text in two directions is no more evidence than in one") {
  const ResultFolder one, two;
  for (const ResultFolder* folder : {&one, &two}) {
    for (int seed = 1; seed <= 3; ++seed) {
      for (const auto& [router, loss] : {std::pair("thor", 2.0), std::pair("switch", 2.02)}) {
        const std::string id = write_loss_run(*folder, {{router, router, 4, seed}, loss, 0.5});
        if (folder == &one) continue;
        const auto file = folder->path() / "runs" / id / "result.json";
        Json result = read_json(file);
        Json copy = result["scores"][0];
        copy["direction"] = "en-de";
        result["scores"].push_back(copy);
        write_file(file, format_json(result));
      }
    }
  }
  const Evidence of_one = *verdicts_on(one, {claim("better")})[0].evidence;
  const Evidence of_two = *verdicts_on(two, {claim("better")})[0].evidence;
  CHECK(of_two.sentences == of_one.sentences);
  CHECK(of_two.sentences_interval->low == Approx(of_one.sentences_interval->low));
  CHECK(of_two.sentences_interval->high == Approx(of_one.sentences_interval->high));
}

TEST_CASE("a claim needs its positive control, and looks at more runs are counted") {
  const ResultFolder folder;
  write_pair(folder, 2.0, 2.1, 3);
  Json control = claim("better", {{"id", "control"}, {"margin", 1.0}});
  const Verdict without = verdicts_on(folder, {claim("better", {{"requires", "control"}}), control})[0];
  CHECK(without.verdict == VerdictKind::untestable);
  CHECK_THAT(without.sentence, has_text("Its positive control, \"control\", is contradicted."));
  control["margin"] = 0;
  CHECK(verdicts_on(folder, {claim("better", {{"requires", "control"}}), control})[0].verdict ==
        VerdictKind::supported);

  const auto looks = [&](const std::map<std::string, EarlierLook>& earlier) {
    return verdicts_on(folder, {claim("better")}, Json::array(), earlier)[0].looks;
  };
  CHECK(looks({}) == 1);
  CHECK(looks({{"better", {1, 6}}}) == 1);
  CHECK(looks({{"better", {2, 4}}}) == 3);  // another seed
  write_pair(folder, 2.0, 2.1, 3, 0.002, 0.5);
  CHECK(looks({{"better", {1, 6}}}) == 2);  // other data
  CHECK(earlier_looks(parse_json(R"({"claims": [{"id": "better", "looks": 2, "looked_runs": 6}]})", ""))
            .at("better")
            .looks == 2);
  CHECK(earlier_looks(parse_json(R"({"claims": [{"id": "better", "looks": 1, "looked_seeds": 3,
                                                 "runs": ["a", "b"]}]})",
                                 ""))
            .at("better")
            .runs == 2);
  for (const char* odd :
       {"[]", "{}", R"({"claims": {}})", R"({"claims": [3, {"id": "a", "looks": null, "looked_runs": null}]})"}) {
    CHECK(earlier_looks(parse_json(odd, "")).empty());
  }
}

}  // namespace moe
