#include "harness/run/run_inputs.h"

#include "core/error.h"
#include "core/text.h"
#include "data/load_corpus.h"
#include "data/text_corpus.h"
#include "harness/sweep/sweep.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {
namespace {

namespace fs = std::filesystem;

/// The tiny sweep on text files, with two runs: `first`, then hash with a table from a file.
struct TextSweep {
  TemporaryFolder folder;
  fs::path sweep = folder.path() / "sweep.json", out = folder.path() / "out", data = folder.path() / "data",
           table = folder.path() / "table.txt";

  explicit TextSweep(const Json& routers = {"hash"}) {
    Json json = tiny_sweep();
    write_text(json["data"]);
    json["data"] = {{"root", data.string()}, {"directions", {"aa-ba"}}, {"vocabulary", 200}};
    json["strategy"] = {{"experts", 2}, {"table", "file"}, {"table_file", table.string()}};
    json["grid"] = {{"strategy.router", routers}};
    write_file(sweep, format_json(json));
    write_table(0);
  }

  /// Ids go to the experts in turn, from `first` on.
  void write_table(int first) const {
    std::string text;
    for (int id = 0; id < 200; ++id) text += std::to_string((id + first) % 2) + "\n";
    write_file(table, text);
  }

  Ended run() const { return run_program(run_arguments(sweep, out)); }

  /// Starts the sweep and does something once its first run has a checkpoint.
  Ended run_and(const std::function<Ended(Program&)>& disturb) const {
    Program program(run_arguments(sweep, out));
    REQUIRE(program.wait_until([&] {
      const std::vector<fs::path> runs = run_folders(out);
      return std::any_of(runs.begin(), runs.end(),
                         [](const auto& run) { return fs::exists(run / "checkpoint.safetensors"); });
    }));
    return disturb(program);
  }

 private:
  /// What made-up languages say, as files.
  void write_text(const Json& synthetic) const {
    DataSettings settings;
    ConfigErrors errors;
    read_settings(settings, synthetic, "data", errors);
    const Corpus corpus = load_corpus(settings);
    for (const TextSet* set : {&corpus.train, &corpus.valid, &corpus.test.front()}) {
      const ParallelText& text = set->directions.front();
      write_file(data / (set->name + ".aa"), join(text.source, "\n") + "\n");
      write_file(data / (set->name + ".ba"), join(text.target, "\n") + "\n");
    }
  }
};

const std::string has_changed =
    " changed while the sweep was going on; give the sweep again to run with what stands there.";

std::string failure_of(const fs::path& run) {
  const Json result = read_json(run / "result.json");
  return result.at("status") == "failed" ? result.at("failure").get<std::string>() : "";
}

}  // namespace

TEST_CASE("a run without files of its own has the digest of its data, others that of both") {
  CHECK(with_files("0123", {}) == "0123");
  const std::string one = with_files("0123", {{"strategy.table_file", "aa"}});
  CHECK(one != "0123");
  CHECK(with_files("0123", {{"strategy.table_file", "ab"}}) != one);
  CHECK(with_files("0124", {{"strategy.table_file", "aa"}}) != one);
  CHECK(with_files("0123", {{"strategy.other_file", "aa"}}) != one);
}

TEST_CASE("what a run reads is compared with what was planned, where that is known") {
  const TextSweep sweep;
  const RunSpec spec = read_sweep(sweep.sweep, {}).runs.front();
  const Corpus corpus = load_corpus(spec.data);
  const RunFolder folder{sweep.folder.path() / "run"};
  const RunInputs planned = checked_inputs(folder, spec, corpus);
  CHECK(planned.data == corpus_digest(spec.data, corpus));
  CHECK(planned.files.size() == 1);
  const auto sentence = [&](const Corpus& text) -> std::string {
    try {
      checked_inputs(folder, spec, text);
      return "";
    } catch (const Error& error) {
      CHECK(error.status() == ExitStatus::runs_failed);
      return error.what();
    }
  };
  Corpus changed = corpus;
  changed.valid.directions[0].target[3] += " x";
  CHECK(sentence(changed).empty());
  write_inputs(folder, planned, text_digests(spec.data, corpus));
  CHECK(sentence(corpus).empty());
  CHECK(sentence(changed) == (sweep.data / "val.ba").string() + has_changed);
  write_inputs(folder, {"other", planned.files}, text_digests(spec.data, corpus));
  CHECK(sentence(corpus) == "The data in \"" + sweep.data.string() + "\"" + has_changed);
  sweep.write_table(1);
  CHECK(sentence(corpus) == sweep.table.string() + has_changed);
  CHECK(planned_files(folder, spec.strategy) == planned.files);
  write_file(folder.inputs(), "{}");
  CHECK_THROWS_WITH(checked_inputs(folder, spec, corpus),
                    folder.inputs().string() + ": is not what the sweep wrote; give the sweep again.");
}

TEST_CASE("another table in a file of the same name is another run") {
  const TextSweep sweep;
  REQUIRE(sweep.run().status == 0);
  const std::vector<fs::path> first = run_folders(sweep.out);
  REQUIRE(first.size() == 1);
  const Json files = read_json(first[0] / "result.json").at("files");
  CHECK(files.size() == 1);
  REQUIRE(sweep.run().status == 0);
  CHECK(run_folders(sweep.out) == first);
  sweep.write_table(1);
  REQUIRE(sweep.run().status == 0);
  REQUIRE(run_folders(sweep.out).size() == 2);
  const fs::path second = run_folders(sweep.out)[run_folders(sweep.out)[0] == first[0] ? 1 : 0];
  CHECK(read_json(second / "result.json").at("files") != files);
  // The report keeps them apart.
  CHECK(contains(read_file(sweep.out / "report" / "tables" / "results.md"),
                 files.at("strategy.table_file").get<std::string>()));
}

TEST_CASE("a run that was cut does not go on with another table") {
  const TextSweep sweep;
  REQUIRE(sweep.run_and([](Program& program) { return program.kill_group(); }).status == -SIGKILL);
  REQUIRE(run_folders(sweep.out).size() == 1);
  const fs::path cut = run_folders(sweep.out).front();
  const fs::path by_hand = sweep.folder.path() / "by-hand";
  fs::copy(cut, by_hand, fs::copy_options::recursive);
  sweep.write_table(1);
  const auto work_on = [&] { return run_program({"worker", "--run", by_hand.string()}); };
  Ended ended = work_on();
  CHECK(ended.status == 1);
  CHECK(ended.error == sweep.table.string() + has_changed + "\n");
  fs::remove(by_hand / "inputs.json");
  ended = work_on();
  CHECK(ended.status == 2);
  CHECK(contains(ended.error, "was made with another configuration or vocabulary than stand beside it"));

  CHECK(sweep.run().status == 0);
  CHECK(run_folders(sweep.out).size() == 2);
  CHECK_FALSE(fs::exists(cut / "result.json"));
  sweep.write_table(0);
  CHECK(sweep.run().status == 0);
  CHECK(fs::exists(cut / "result.json"));
}

TEST_CASE("a text file that changes during a sweep fails the runs that read it afterwards") {
  const TextSweep sweep({"dense", "hash"});
  const fs::path train = sweep.data / "train.aa";
  const std::string text = read_file(train);
  const Ended ended = sweep.run_and([&](Program& program) {
    write_file(train, text.substr(0, text.size() - 2) + "\n");
    return program.wait();
  });
  CHECK(ended.status == 1);
  std::vector<std::string> failures;
  for (const fs::path& run : run_folders(sweep.out)) failures.push_back(failure_of(run));
  std::sort(failures.begin(), failures.end());
  CHECK(failures == std::vector<std::string>{"", train.string() + has_changed});
  CHECK(sweep.run().status == 0);
  CHECK(run_folders(sweep.out).size() == 4);
}

TEST_CASE("a table that is not there is named before anything runs") {
  const TextSweep sweep;
  fs::remove(sweep.table);
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--dry-run"}}) {
    const Ended ended = run_program(run_arguments(sweep.sweep, sweep.out, more));
    CHECK(ended.status == 2);
    CHECK(names(ended.error, {sweep.sweep.string() + ": strategy.table_file: " + sweep.table.string() + ": "}));
    CHECK_FALSE(fs::exists(sweep.out));
  }
}

}  // namespace moe
