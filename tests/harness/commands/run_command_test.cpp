#include "harness/commands/run_command.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/process/file_lock.h"
#include "harness/results/record.h"
#include "routers/registry.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "tests/support/json_schema.h"

#include <torch/cuda.h>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// A folder with the tiny sweep, changed by `settings` of --set.
struct SweepFolder {
  TemporaryFolder folder;
  fs::path sweep = folder.path() / "sweep.json";
  fs::path out = folder.path() / "out";

  explicit SweepFolder(const Json& json = tiny_sweep()) { write_file(sweep, format_json(json)); }
  Ended run(const std::vector<std::string>& more = {"--jobs", "1"}) const {
    return run_program(run_arguments(sweep, out, more));
  }
};

/// Checks that the sweep is refused before anything runs, with one line for each list of parts: the file's name, and
/// after it what the line names.
void check_refused(const SweepFolder& folder, const std::vector<std::string>& more,
                   std::vector<std::vector<std::string>> parts) {
  const Ended ended = folder.run(more);
  for (std::vector<std::string>& of_line : parts) of_line.front().insert(0, folder.sweep.string() + ": ");
  parts.push_back({""});  // behind the last newline
  const std::vector<std::string> lines = split(ended.error, '\n');
  CHECK(each_names(lines, parts));
  CHECK(lines.back().empty());
  CHECK(ended.status == 2);
  CHECK(ended.output.empty());
  CHECK_FALSE(fs::exists(folder.out / "runs"));
}

void write_text_data(const fs::path& root) {
  write_file(root / "train.de", "a b\nc d\n");
  write_file(root / "train.en", "a b\n");
  write_file(root / "val.de", "");
  write_file(root / "val.en", "x\n");
  write_file(root / "test.de", "good\nx\xff\n");
  write_file(root / "test.en", "x\ny\n");
}

}  // namespace

TEST_CASE("a shard is I/N") {
  CHECK(parse_shard("1/1").count == 1);
  CHECK(parse_shard("2/3").index == 2);
  CHECK(parse_shard("2/3").count == 3);
  for (const std::string text : {"", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "1 /2", "-1/2", "1/2x"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_shard(text), Error);
  }
}

TEST_CASE("a sweep leaves the files that the documentation names, and runs nothing twice") {
  const SweepFolder folder;
  const Ended first = folder.run();
  INFO(first.error);
  REQUIRE(first.status == 0);
  for (const char* name : {"sweep.json", "summary.json", "summary.csv", "report/index.html", "report/tables/results.md",
                           "report/tables/results.csv", "report/charts/validation_curves.vl.json"}) {
    INFO(name);
    CHECK(fs::exists(folder.out / name));
  }
  REQUIRE(run_folders(folder.out).size() == 2);
  const test::SchemaChecker schema(read_json(fs::path(MOE_BENCH_SOURCE_DIR) / "schemas" / "result.schema.json"));
  for (const fs::path& run : run_folders(folder.out)) {
    CHECK(schema.violations(read_json(run / "result.json")) == std::vector<std::string>{});
    const RunRecord record = read_run_record(read_json(run / "result.json"), "result.json");
    CHECK(format_json(write_record(record)) == read_file(run / "result.json"));
  }
  std::map<fs::path, fs::file_time_type> times;
  for (const fs::path& run : run_folders(folder.out)) {
    for (const char* name : {"config.json", "result.json", "train.jsonl", "checkpoint.safetensors", "vocabulary.model",
                             "hypotheses/aa-ba.test.txt"}) {
      INFO(run / name);
      CHECK(fs::exists(run / name));
    }
    times[run / "result.json"] = fs::last_write_time(run / "result.json");
    times[run / "checkpoint.safetensors"] = fs::last_write_time(run / "checkpoint.safetensors");
  }
  const Json result = read_json(run_folder(folder.out, "thor") / "result.json");
  CHECK(result.at("status") == "finished");
  CHECK(result.at("training").at("updates") == 60);
  CHECK(result.at("curve").size() == 6);
  CHECK(result.at("scores").at(0).at("bleu").at("draws").size() == 2);

  const auto files = reproducible_files(folder.out);
  const Ended second = folder.run();
  CHECK(second.status == 0);
  CHECK(second.output == first.output);
  for (const auto& [file, time] : times) CHECK(fs::last_write_time(file) == time);

  const Ended fresh = folder.run({"--jobs", "2", "--fresh", "--profile"});
  CHECK(fresh.status == 0);
  for (const fs::path& run : run_folders(folder.out)) {
    const Json profiled = read_json(run / "result.json");
    CHECK(schema.violations(profiled) == std::vector<std::string>{});
    CHECK(profiled.at("measurements").at("profile").at("optimizer").get<double>() > 0);
  }
  CHECK(reproducible_files(folder.out) == files);
  for (const auto& [file, time] : times) CHECK(fs::last_write_time(file) != time);
}

/// Two strategies, three seeds, and a claim on which reports count their looks. A net that learns nothing has learned
/// all it will; of one that was still learning nothing is claimed.
Json sweep_of_six() {
  Json sweep = tiny_sweep();
  sweep["training"].update({{"updates", 10}, {"learning_rate", 1e-9}});
  sweep["evaluation"].update({{"every", 1}, {"beam", 1}});
  sweep["grid"]["training.seed"] = {1, 2, 3};
  sweep["claims"].push_back({{"id", "gate"},
                             {"says", "A learned gate helps"},
                             {"metric", "calibrated_loss"},
                             {"a", {{"strategy.router", "switch-paper"}}},
                             {"b", {{"strategy.router", "thor"}}}});
  return sweep;
}

/// summary.json without what was measured.
std::string summary_of(const fs::path& out) {
  Json summary = read_json(out / "summary.json");
  for (const char* part : {"runs", "groups"}) {
    for (Json& entry : summary[part]) {
      for (const char* key :
           {"target_tokens_per_second", "decoded_sentences_per_second", "peak_memory_bytes", "seconds"}) {
        entry.erase(key);
      }
    }
  }
  return format_json(summary);
}

TEST_CASE("shards make one sweep, and the last writes the report of a serial one") {
  const SweepFolder serial(sweep_of_six()), one_by_one(sweep_of_six()), side_by_side(sweep_of_six());
  REQUIRE(serial.run().status == 0);
  CHECK(read_json(serial.out / "summary.json").at("claims").at(0).at("looks") == 1);

  const Ended first = one_by_one.run({"--shard", "1/2"});
  CHECK(first.status == 0);
  CHECK(run_folders(one_by_one.out).size() == 3);
  CHECK(first.output ==
        "No report yet: 3 of 6 runs have no result in " + one_by_one.out.string() + ". The last shard writes it.\n");
  CHECK_FALSE(fs::exists(one_by_one.out / "summary.json"));
  CHECK(contains(first.error, "(3 of 3 runs)"));
  CHECK(one_by_one.run({"--shard", "2/2"}).status == 0);
  CHECK(summary_of(one_by_one.out) == summary_of(serial.out));

  {
    Program left(run_arguments(side_by_side.sweep, side_by_side.out, {"--shard", "1/2"}));
    Program right(run_arguments(side_by_side.sweep, side_by_side.out, {"--shard", "2/2"}));
    CHECK(left.wait().status == 0);
    CHECK(right.wait().status == 0);
  }
  CHECK(summary_of(side_by_side.out) == summary_of(serial.out));
  CHECK(run_program({"report", side_by_side.out.string()}).status == 0);
  CHECK(summary_of(side_by_side.out) == summary_of(serial.out));
}

TEST_CASE("a shard without a run of its own leaves the report to the others") {
  const SweepFolder folder;
  const Ended ended = folder.run({"--shard", "3/3"});
  CHECK(ended.status == 0);
  CHECK(contains(ended.output, "No report yet: 2 of 2 runs have no result"));
}

TEST_CASE("a run that leaves the numbers is a failed run with its reason") {
  const SweepFolder folder;
  const Ended ended = folder.run({"--set", "training.learning_rate=[1e30, 1e-3]", "--set", "training.updates=12",
                                  "--set", "strategy.router=dense"});
  CHECK(ended.status == 1);
  REQUIRE(run_folders(folder.out).size() == 2);
  int failed = 0;
  for (const fs::path& run : run_folders(folder.out)) {
    const Json result = read_json(run / "result.json");
    if (result.at("status") == "finished") continue;
    ++failed;
    CHECK(result.at("config").at("training").at("learning_rate") == 1e30);
    const auto failure = result.at("failure").get<std::string>();
    CHECK(contains(failure, "is not a finite number"));
  }
  CHECK(failed == 1);
}

TEST_CASE("a model whose validation leaves the numbers is a failed run with its reason") {
  const SweepFolder folder;
  const Ended ended = folder.run({"--set", "training.learning_rate=1e10", "--set", "training.warmup=1", "--set",
                                  "training.updates=1", "--set", "evaluation.every=1"});
  CHECK(ended.status == 1);
  REQUIRE(run_folders(folder.out).size() == 2);
  for (const fs::path& run : run_folders(folder.out)) {
    const Json result = read_json(run / "result.json");
    CHECK(result.at("status") == "failed");
    CHECK(result.at("failure") == "The model's loss is not a finite number in the evaluation.");
  }
}

TEST_CASE("translations that were cut are counted in the result and said once for each set") {
  const SweepFolder folder;
  const std::vector<std::string> barely_trained = {"--set", "training.updates=2", "--set", "strategy.router=dense"};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.end(), barely_trained.begin(), barely_trained.end());
    const Ended ended = folder.run(more);
    CHECK(ended.status == 0);
    return ended.error;
  };
  // No translation can end where one piece is allowed and the model, which has hardly learnt, would say more.
  const std::string said = run({"--set", "evaluation.max_length_ratio=0", "--set", "evaluation.max_length_constant=0"});
  CHECK(contains(said, "8 of 8 translations of test reached the length limit"));
  CHECK(contains(said, "evaluation.max_length_ratio"));
  const Json cut = read_json(run_folder(folder.out, "dense") / "result.json");
  CHECK(cut.at("scores").at(0).at("cut_share") == 1);
  const test::SchemaChecker schema(read_json(fs::path(MOE_BENCH_SOURCE_DIR) / "schemas" / "result.schema.json"));
  CHECK(schema.violations(cut) == std::vector<std::string>{});
}

TEST_CASE("the largest seed is a seed") {
  const SweepFolder folder;
  const std::vector<std::string> largest = {
      "--set", "training.seed=9223372036854775807", "--set", "training.updates=1", "--set", "strategy.router=dense"};
  REQUIRE(folder.run(largest).status == 0);
  const Json result = read_json(run_folder(folder.out, "dense") / "result.json");
  CHECK(result.at("seed") == 9223372036854775807);
  check_refused(SweepFolder(), {"--set", "training.seed=9223372036854775808"},
                {{"training.seed: found 9223372036854775808", "0 to 9223372036854775807"}});
}

TEST_CASE("numbers of the command line are refused with what is allowed") {
  const SweepFolder folder;
  const auto check = [&](const std::string& option, const std::string& value, const std::string& allowed) {
    const Ended ended = folder.run({option, value});
    CHECK(ended.status == 2);
    CHECK(contains(ended.error,
                   fmt::format("{}: found \"{}\", allowed is a whole number from {}.\n", option, value, allowed)));
    CHECK_FALSE(fs::exists(folder.out));
  };
  for (const std::string value : {"0", "-1", "nan", "1.5", "65537", "99999999999999999999"}) {
    check("--jobs", value, "1 to 65536");
    if (value != "65537") check("--threads", value, "1 to 4096");
  }
}

TEST_CASE("GPUs that cannot be used are named before anything runs") {
  const SweepFolder folder;
  const auto check = [&](const std::vector<std::string>& more, int status, const std::string& sentence) {
    const Ended ended = folder.run(more);
    CHECK(ended.status == status);
    CHECK(contains(ended.error, sentence));
    CHECK(run_folders(folder.out).empty());
  };
  check({"--device", "cuda:"}, 2, "--device: found \"cuda:\", allowed is cpu, cuda, or cuda: with numbers of GPUs");
  check({"--device", "cuda:0,0"}, 2, "--device: found \"cuda:0,0\", in which GPU 0 stands twice.\n");
  check({"--jobs-per-gpu", "2"}, 2, "--jobs-per-gpu 2: needs --device cuda.\n");
  if (torch::cuda::is_available()) {
    check({"--device", "cuda:4096"}, 2, "--device: there is no GPU 4096; ");
  } else {
    check({"--device", "cuda:0,1"}, 3, "--device cuda: this build or this machine has no GPU.\n");
  }
}

TEST_CASE("a model that was never trained translates nothing") {
  const SweepFolder folder;
  REQUIRE(folder.run({"--set", "training.updates=0"}).status == 0);
  for (const fs::path& run : run_folders(folder.out)) {
    const Json result = read_json(run / "result.json");
    CHECK(result.at("scores").at(0).at("bleu").at("score") < 5);
    CHECK(result.at("training").at("undertrained") == true);
  }
}

TEST_CASE("broken JSON is named with its line") {
  const SweepFolder folder;
  write_file(folder.sweep, "{\"name\": \"x\",\n  \"data\": {");
  const Ended ended = folder.run();
  CHECK(ended.status == 2);
  CHECK(ended.output.empty());
  CHECK(ended.error.rfind(folder.sweep.string() + ":2:", 0) == 0);
  CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
  CHECK(run_program({"run", (folder.folder.path() / "none.json").string()}).status == 2);
}

TEST_CASE("every error of a sweep is said at once, a sentence each") {
  const SweepFolder folder;
  check_refused(folder,
                {"--set", "strategy.router=swich", "--set", "strategy.experts=0", "--set", "model.heads=3", "--set",
                 "training.updats=3", "--set", "evaluation.beam=\"five\""},
                {{"model.heads: ", "3 heads", "16"},
                 {"strategy.router: found \"swich\"", join(router_names(), ", "), "\"switch\""},
                 {"strategy.experts: found 0", "at least 1"},
                 {"training.updats: ", "\"updates\""},
                 {"evaluation.beam: found \"five\"", "whole number"}});
}

TEST_CASE("two choices among one expert are refused") {
  const SweepFolder folder;
  const Ended ended = folder.run({"--set", "strategy.router=gshard", "--set", "strategy.experts=1"});
  CHECK(ended.status == 2);
  CHECK(contains(ended.error, "strategy.experts: "));
  CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
}

TEST_CASE("every fault of the data is said at once") {
  Json sweep = tiny_sweep();
  const TemporaryFolder data;
  const std::string root = data.path().string();
  write_text_data(data.path());
  sweep["data"] = {{"source", "text"}, {"root", root}, {"directions", {"de-en"}}, {"vocabulary", 40}};
  const SweepFolder folder(sweep);
  check_refused(folder, {},
                {{root + "/train.de: ", "2 lines", root + "/train.en has 1"},
                 {root + "/val.de: ", "empty"},
                 {root + "/test.de:2: ", "UTF-8", "byte 2"}});
  const Ended missing = folder.run({"--set", "data.root=/no/such/folder"});
  CHECK(missing.status == 2);
  CHECK(missing.error.starts_with(folder.sweep.string() + ": data.root: no folder \"/no/such/folder\"; put one file"));
  CHECK(std::count(missing.error.begin(), missing.error.end(), '\n') == 1);
}

TEST_CASE("Windows line ends are noted once and change no result; too long a word stops the sweep") {
  const TemporaryFolder data;
  Json sweep = tiny_sweep();
  sweep["data"] = {{"source", "text"}, {"root", data.path().string()}, {"directions", {"de-en"}}, {"vocabulary", 32}};
  const auto write = [&](const std::string& line_end) {
    std::string lines;
    for (int i = 0; i < 20; ++i)
      lines += std::string(i % 2 == 0 ? "um dois tres cinco" : "quatro cinco um dois") + line_end;
    for (const std::string split : {"train", "val", "test"}) {
      write_file(data.path() / (split + ".de"), lines);
      write_file(data.path() / (split + ".en"), lines);
    }
  };
  const SweepFolder folder(sweep);
  const std::vector<std::string> once = {
      "--jobs", "1", "--set", "strategy.router=dense", "--set", "training.updates=2"};
  write("\n");
  REQUIRE(folder.run(once).status == 0);
  write("\r\n");
  const Ended windows = folder.run(once);
  CHECK(windows.status == 0);
  CHECK(run_folders(folder.out).size() == 1);
  for (const char* file : {"train.de", "val.en", "test.de"}) {
    const std::string note = (data.path() / file).string() + ": left out carriage returns of Windows line ends.\n";
    CHECK(contains(windows.error, note));
    CHECK(windows.error.find(note) == windows.error.rfind(note));
  }
  std::vector<std::string> quiet = once;
  quiet.emplace_back("--quiet");
  CHECK(folder.run(quiet).error.empty());

  write_file(data.path() / "train.de", std::string(32769, 'a') + "\n" + read_file(data.path() / "val.de").substr(20));
  const std::string place = (data.path() / "train.de").string() + ":1: ";
  const Ended refused = folder.run({"--quiet"});
  CHECK(refused.status == 2);
  CHECK(names(refused.error, {folder.sweep.string() + ": " + place, "32769", "32768"}));
  CHECK(std::count(refused.error.begin(), refused.error.end(), '\n') == 1);
  const Ended dry = folder.run({"--dry-run"});
  CHECK(dry.status == 0);
  CHECK(contains(dry.output, "data: " + place));
}

TEST_CASE("a folder takes one sweep at a time") {
  const SweepFolder folder;
  fs::create_directories(folder.out);
  const FileLock other(folder.out / "sweep.lock", FileLock::WhenHeld::refuse);
  const Ended ended = folder.run();
  CHECK(ended.status == 2);
  CHECK(contains(ended.error, "another sweep is running in this folder"));
  CHECK_FALSE(fs::exists(folder.out / "runs"));
}

}  // namespace moe
