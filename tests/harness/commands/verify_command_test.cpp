#include "harness/commands/verify/verify_command.h"

#include "core/text.h"
#include "data/load_corpus.h"
#include "harness/commands/import_command.h"
#include "harness/report/summary.h"
#include "harness/results/result_file.h"
#include "harness/run/run_folder.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "routers/registry.h"
#include "tests/harness/program.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <sstream>

namespace moe {
namespace {

namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

RunSpec tiny_spec(const std::string& router, const Json& data) {
  Json config = tiny_sweep();
  config.erase("name");
  config.erase("grid");
  config["strategy"]["router"] = router;
  if (!data.is_null()) config["data"] = data;
  ConfigErrors errors;
  RunSpec spec = read_run_spec(config, {router}, errors);
  errors.throw_if_any("tiny");
  return spec;
}

/// A finished run whose translations are its references with some lines wrong, as if it had been trained.
class FinishedRun {
 public:
  explicit FinishedRun(const ResultFolder& results, const std::string& router = "switch", const Json& data = Json()) {
    const RunSpec spec = tiny_spec(router, data);
    const Corpus corpus = load_corpus(spec.data);
    const std::string digest = corpus_digest(spec.data, corpus);
    record = result_header(spec, run_id(spec, digest), digest, {});
    folder = results.path() / "runs" / record.run_id;
    record.status = "finished";
    record.parameters = {2000, 1000};
    record.flops = {1e9, 1e3};
    record.training = TrainingRecord{60, 1.5, 9000, "updates", false, 0.001, std::nullopt};
    record.curve = {CurvePoint{}};
    reference = corpus.test.front().directions.front().target;
    TestScore score;
    score.set = corpus.test.front().name;
    score.direction = corpus.directions.front().name;
    score.sentences = std::ssize(reference);
    add_draws(score, {"hypotheses/a.txt", "hypotheses/a.draw1.txt"});
    ModelScores last;
    add_draws(last, {"hypotheses/last_model/a.txt"});
    score.last_model = last;
    record.scores = {score};
    record.measurements.software = {{"revision", "0123abc"}};
    write();
    write_file(folder / "config.json", format_json(record.config));
  }

  fs::path result() const { return folder / "result.json"; }
  void write() const { write_result(result(), record); }

  RunRecord record;
  fs::path folder;
  Lines reference;

 private:
  /// One more line is wrong in each draw.
  void add_draws(ModelScores& scores, const std::vector<std::string>& files) const {
    std::vector<double> bleu, chrf;
    for (std::size_t i = 0; i < files.size(); ++i) {
      Lines lines = reference;
      for (std::size_t line = 0; line <= i; ++line) lines[line] = "wrong";
      write_file(folder / files[i], join(lines, "\n") + "\n");
      bleu.push_back(corpus_bleu(lines, {reference}).score);
      chrf.push_back(corpus_chrf(lines, {reference}).score);
    }
    scores.hypotheses = files;
    scores.bleu = {mean(bleu), sample_deviation(bleu).value_or(0), bleu, "b"};
    scores.chrf = {mean(chrf), sample_deviation(chrf).value_or(0), chrf, "c"};
  }
};

struct Verified {
  ExitStatus status = ExitStatus::success;
  Json folder;
  Lines problems;
};

Verified verify(const ResultFolder& results, const std::optional<fs::path>& data = std::nullopt) {
  std::ostringstream out;
  Verified verdict{run_verify({{results.path()}, data, true}, out), {}, {}};
  verdict.folder = parse_json(out.str(), "verify").at("folders").at(0);
  verdict.problems = verdict.folder.at("problems").get<Lines>();
  CHECK((verdict.status == ExitStatus::success) == verdict.problems.empty());
  if (verdict.status != ExitStatus::success) CHECK(verdict.status == ExitStatus::runs_failed);
  return verdict;
}

void write_summary(const ResultFolder& results) {
  const ResultSet set = read_results({results.path()}, router_names());
  write_file(results.path() / "summary.json", format_json(summary_json(set, {make_results_table(set), {}})));
}

}  // namespace

TEST_CASE("results that are what their runs wrote are verified, made-up data without a file") {
  const ResultFolder results;
  const FinishedRun first(results), second(results, "thor");
  fs::create_directories(results.path() / "runs/still-running");
  write_summary(results);
  const Verified verdict = verify(results);
  CHECK(verdict.problems == Lines{});
  CHECK(verdict.folder["results"] == 2);
  CHECK(verdict.folder["unfinished"] == 1);
  CHECK(verdict.folder["run_ids"] == 2);
  CHECK(verdict.folder["rescored"] == 6);
  CHECK(verdict.folder["only_read"] == 0);
  CHECK(verdict.folder["rerun"] == 0);
  CHECK(verdict.folder["summary"] == "as the results give");
  CHECK(verdict.folder["notes"] == Json::array());

  std::ostringstream out;
  CHECK(run_verify({{results.path()}, {}, false}, out) == ExitStatus::success);
  CHECK_THAT(out.str(), has_text("rescored: BLEU and chrF of 6 files") && has_text("rerun: none") &&
                            has_text("only read: ") && has_text("Nothing disagrees."));
}

TEST_CASE("what does not agree is named with file and JSON path") {
  const ResultFolder results;
  FinishedRun run(results);
  const std::string file = run.result().string();
  SECTION("a score that the translations do not give") {
    run.record.scores[0].bleu.draws[1] += 1e-8;
    run.write();
    const Verified verdict = verify(results);
    CHECK(each_names(verdict.problems, {{file + ": scores[0].bleu.draws[1] is "}}));
  }
  SECTION("a mean that the draws do not give") {
    run.record.scores[0].last_model->chrf.score += 1;
    run.write();
    CHECK(each_names(verify(results).problems, {{file + ": scores[0].last_model.chrf.score is "}}));
  }
  SECTION("translations that were changed") {
    Lines lines = run.reference;
    lines[0] = "another";
    write_file(run.folder / "hypotheses/last_model/a.txt", join(lines, "\n") + "\n");
    const Verified verdict = verify(results);
    CHECK(each_names(verdict.problems, {{file + ": scores[0].last_model.chrf.draws[0] is "},
                                        {file + ": scores[0].last_model.chrf.score is "}}));
  }
  SECTION("translations that are gone, or too few") {
    fs::remove(run.folder / "hypotheses/a.txt");
    write_file(run.folder / "hypotheses/last_model/a.txt", "one\n");
    CHECK(each_names(verify(results).problems,
                     {{file + ": scores[0].hypotheses[0]: ", "a.txt"},
                      {file + ": scores[0].last_model.hypotheses[0]: ", "has 1 lines", "reference has 8"}}));
  }
  SECTION("a digest") {
    Json json = read_json(run.result());
    json["parameters"]["total"] = 2001;
    json["measurements"]["started"] = "yesterday";
    write_file(run.result(), format_json(json));
    CHECK(each_names(verify(results).problems, {{file + ": digest: "}, {file + ": measurements.digest: "}}));
  }
  SECTION("a configuration under the name of another") {
    run.record.config["training"]["updates"] = 61;
    run.write();
    const std::string config = (run.folder / "config.json").string();
    CHECK(each_names(verify(results).problems, {{file + ": run_id is " + run.record.run_id, "configuration"},
                                                {config + ": training.updates is 60", "61"}}));
  }
  SECTION("a folder of another name") {
    fs::rename(run.folder, results.path() / "runs/other");
    CHECK(each_names(verify(results).problems,
                     {{(results.path() / "runs/other/result.json").string() + ": run_id is ", "other"}}));
  }
  SECTION("data of other content") {
    run.record.data_digest = "0123456789abcdef";
    run.write();
    const Verified verdict = verify(results);
    CHECK(each_names(verdict.problems, {{file + ": run_id is "}, {file + ": data_digest is 0123456789abcdef"}}));
    CHECK(verdict.folder["only_read"] == 3);
  }
  SECTION("a result of another program, and the rest goes on") {
    write_file(results.path() / "runs/foreign/result.json", R"({"bleu": 30})");
    const Verified verdict = verify(results);
    CHECK(each_names(verdict.problems,
                     {{(results.path() / "runs/foreign/result.json").string() + ": ", "schema_version"}}));
    CHECK(verdict.folder["rescored"] == 3);
    CHECK(verdict.folder["not_readable"] == 1);
  }
  SECTION("choices of experts that the layers do not have, or of no expert") {
    run.record.routing_choices = "choices.txt";
    run.record.routing.resize(2);
    for (LayerRouting& layer : run.record.routing) {
      layer.stack = "encoder";
      layer.figures.experts = 4;
      layer.figures.load = {0.25, 0.25, 0.25, 0.25};
    }
    run.write();
    const std::string choices = (run.folder / "choices.txt").string();
    CHECK(each_names(verify(results).problems, {{choices}}));
    write_file(choices, "0 3 -1\n1 2 3\n");
    CHECK(verify(results).problems.empty());
    write_file(choices, "0 3 -1\n1 4 3\n");
    CHECK(each_names(verify(results).problems, {{choices + ":2: names expert 4"}}));
    write_file(choices, "0 3 -1\n");
    CHECK(each_names(verify(results).problems, {{choices + ": has 1 lines for 2 MoE layers"}}));
    write_file(choices, "0 x\n1\n");
    CHECK(each_names(verify(results).problems, {{choices + ":1: ", "\"x\""}}));
  }
  SECTION("a summary of other figures") {
    write_summary(results);
    Json summary = read_json(results.path() / "summary.json");
    summary["runs"][0]["test.aa-ba.bleu"] = 99;
    summary["runs"][0]["a figure that this program does not know"] = 1;
    write_file(results.path() / "summary.json", format_json(summary));
    const Verified verdict = verify(results);
    CHECK(each_names(verdict.problems,
                     {{(results.path() / "summary.json").string() + ": runs[0].test.aa-ba.bleu is 99"}}));
  }
}

TEST_CASE("what cannot be checked is said, and is no problem") {
  const ResultFolder results;
  FinishedRun run(results);
  SECTION("results without digests") {
    Json json = read_json(run.result());
    json.erase("digest");
    json["measurements"].erase("digest");
    write_file(run.result(), format_json(json));
    CHECK_THAT(verify(results).folder["notes"][0]["note"].get<std::string>(), has_text("digests not checked"));
  }
  SECTION("code that no commit holds") {
    run.record.measurements.software["revision"] = "0123abc-dirty";
    run.write();
    const Json note = verify(results).folder["notes"][0];
    CHECK_THAT(note["note"].get<std::string>(), has_text("0123abc-dirty"));
    CHECK(note["runs"] == Json::array({run.record.run_id}));
  }
  SECTION("names of another version of the semantics") {
    run.record.semantics_version = semantics_version - 1;
    run.write();
    const Verified verdict = verify(results);
    CHECK(verdict.problems == Lines{});
    CHECK(verdict.folder["run_ids"] == 0);
    CHECK(verdict.folder["rescored"] == 3);
  }
  SECTION("a summary of merged folders") {
    write_file(results.path() / "summary.json", R"({"schema_version": 1, "name": "a + b"})");
    CHECK_THAT(verify(results).folder["summary"].get<std::string>(), has_text("only read"));
  }
}

TEST_CASE("text is looked for where the run found it, or where the request says") {
  const ResultFolder results;
  const TemporaryFolder texts;
  const auto write_texts = [](const fs::path& root) {
    for (const char* set : {"train", "val", "test"}) {
      for (const char* language : {"aa", "ba"}) {
        write_file(root / fmt::format("{}.{}", set, language), fmt::format("{} one two three four\na b c d e\n", set));
      }
    }
  };
  write_texts(texts.path() / "here");
  const Json data = {{"root", (texts.path() / "here").string()}, {"directions", {"aa-ba"}}, {"vocabulary", 200}};
  const FinishedRun run(results, "switch", data);
  CHECK(verify(results).folder["rescored"] == 3);
  fs::rename(texts.path() / "here", texts.path() / "there");
  const Verified without = verify(results);
  CHECK(without.problems == Lines{});
  CHECK(without.folder["only_read"] == 3);
  CHECK(without.folder["rescored"] == 0);
  CHECK(verify(results, texts.path() / "there").folder["rescored"] == 3);
}

TEST_CASE("imported translations are rescored where the data of another run have their reference") {
  const ResultFolder results;
  const FinishedRun run(results);
  const TemporaryFolder files;
  write_file(files.path() / "reference", join(run.reference, "\n") + "\n");
  const TestScore& score = run.record.scores.front();
  std::ostringstream out, notes;
  run_import({.out = results.path(),
              .label = "another",
              .direction = score.direction,
              .set = score.set,
              .reference = files.path() / "reference",
              .hypotheses = {files.path() / "reference"},
              .parameters = {},
              .source = ""},
             out, notes);
  CHECK(verify(results).folder["rescored"] == 4);
  fs::remove_all(run.folder);
  const Verified alone = verify(results);
  CHECK(alone.problems == Lines{});
  CHECK(alone.folder["run_ids"] == 1);
  CHECK(alone.folder["only_read"] == 1);
}

TEST_CASE("a folder without runs is a wrong request") {
  const ResultFolder results;
  fs::remove(results.path() / "runs");
  std::ostringstream out;
  CHECK_THROWS_WITH(run_verify({{results.path()}, {}, false}, out), has_text("has no folder runs/"));
  CHECK(out.str().empty());
}

}  // namespace moe
