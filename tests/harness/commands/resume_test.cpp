// A sweep that was cut, in whatever way, ends as if it had not been.
#include "model/safetensors.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"

#include <torch/types.h>

namespace moe {
namespace {

namespace fs = std::filesystem;

// Of the two, the longer one goes first.
const std::string first_run = "thor", last_run = "switch";

/// A sweep and what it gives when nobody disturbs it; made once.
struct Reference {
  TemporaryFolder folder;
  fs::path sweep = folder.path() / "sweep.json";
  fs::path out = folder.path() / "undisturbed";

  Reference() {
    write_file(sweep, format_json(tiny_sweep()));
    const Ended ended = run_program(run_arguments(sweep, out));
    INFO(ended.error);
    REQUIRE(ended.status == 0);
    REQUIRE(run_folders(out).size() == 2);
  }
};

const Reference& reference() {
  static const Reference made;
  return made;
}

/// Checks results, hypotheses, logs and all tensors of the checkpoints.
void check_same_as_reference(const fs::path& out) {
  const auto expected = reproducible_files(reference().out), actual = reproducible_files(out);
  CHECK(actual.size() == expected.size());
  for (const auto& [name, content] : expected) {
    INFO(name);
    REQUIRE(actual.count(name) == 1);
    CHECK(actual.at(name) == content);
  }
  for (const fs::path& folder : run_folders(reference().out)) {
    const TensorFile left = read_safetensors(folder / "checkpoint.safetensors");
    const TensorFile right = read_safetensors(out / "runs" / folder.filename() / "checkpoint.safetensors");
    REQUIRE(left.tensors.size() == right.tensors.size());
    for (const auto& [name, tensor] : left.tensors) {
      INFO(name);
      CHECK(tensor.equal(right.tensors.at(name)));
    }
  }
}

/// Lets the sweep end in peace.
void finish(const fs::path& out) {
  const Ended ended = run_program(run_arguments(reference().sweep, out));
  INFO(ended.error);
  REQUIRE(ended.status == 0);
  check_same_as_reference(out);
}

fs::path checkpoint_of(const fs::path& out, const std::string& run) {
  const fs::path folder = run_folder(out, run);
  return folder.empty() ? folder : folder / "checkpoint.safetensors";
}

fs::file_time_type time_of(const fs::path& file) {
  std::error_code missing;
  return fs::last_write_time(file, missing);
}

}  // namespace

TEST_CASE("a sweep killed again and again, parent and worker together, ends like one that ran through") {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  const auto kill_when = [&](const std::function<bool()>& condition) {
    Program program(run_arguments(reference().sweep, out));
    CHECK(program.wait_until(condition));
    CHECK(program.kill_group().status == -SIGKILL);
  };
  kill_when([&] { return fs::exists(run_folder(out, last_run) / "config.json"); });
  kill_when([&] { return fs::exists(checkpoint_of(out, first_run)); });
  const fs::file_time_type first = time_of(checkpoint_of(out, first_run));
  kill_when([&] { return time_of(checkpoint_of(out, first_run)) != first; });
  // All updates of the first run are done, and its test set is being scored or was.
  kill_when([&] { return !fs::is_empty(run_folder(out, first_run) / "hypotheses"); });
  kill_when([&] { return fs::exists(checkpoint_of(out, last_run)); });
  finish(out);
}

TEST_CASE("a killed run goes on after its last update, too") {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  fs::copy(reference().out, out, fs::copy_options::recursive);
  for (const fs::path& run : run_folders(out)) {
    fs::remove(run / "result.json");
    for (const auto& entry : fs::directory_iterator(run / "hypotheses")) fs::remove_all(entry);
    std::ofstream(run / "train.jsonl", std::ios::app) << "{\"update\": 61, \"cut";
  }
  finish(out);
}

TEST_CASE("a signal to the parent ends the sweep with 130, and the same command finishes it") {
  const int signal = GENERATE(SIGTERM, SIGINT, SIGUSR1);
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  Program program(run_arguments(reference().sweep, out));
  REQUIRE(program.wait_until([&] { return fs::exists(checkpoint_of(out, first_run)); }));
  program.send(signal);
  CHECK(program.wait().status == 130);
  CHECK_FALSE(fs::exists(run_folder(out, last_run) / "result.json"));
  finish(out);
}

TEST_CASE("a worker that is killed alone is a failed run with its reason; the others are kept") {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  Program program(run_arguments(reference().sweep, out));
  REQUIRE(program.wait_until([&] { return fs::exists(checkpoint_of(out, first_run)); }));
  const std::vector<pid_t> workers = program.children();
  REQUIRE(workers.size() == 1);
  ::kill(workers.front(), SIGKILL);
  CHECK(program.wait().status == 1);
  const Json failed = read_json(run_folder(out, first_run) / "result.json");
  CHECK(failed.at("status") == "failed");
  CHECK(contains(failed.at("failure").get<std::string>(), "killed (signal 9)"));
  CHECK(read_json(run_folder(out, last_run) / "result.json").at("status") == "finished");
  finish(out);
}

}  // namespace moe
