#include "core/text.h"
#include "data/load_corpus.h"
#include "harness/run/build_model.h"
#include "harness/run/run_data.h"
#include "harness/run/run_folder.h"
#include "harness/run/run_inputs.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "training/checkpoint.h"

#include <torch/cuda.h>
#include <torch/types.h>

#include <cmath>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// A sweep of routers without draws, in two directions with two target languages; made once.
struct TrainedRuns {
  TemporaryFolder folder;
  fs::path out = folder.path() / "out";
  TextSet test;

  TrainedRuns() {
    Json sweep = tiny_sweep();
    sweep["data"]["directions"] = {"aa-ba", "ba-ab"};
    sweep["grid"]["strategy.router"] = {"dense", "switch", "hash"};
    write_file(folder.path() / "sweep.json", format_json(sweep));
    const Ended ended = run_program(run_arguments(folder.path() / "sweep.json", out));
    INFO(ended.error);
    REQUIRE(ended.status == 0);
    DataSettings settings;
    ConfigErrors errors;
    read_settings(settings, sweep["data"], "data", errors);
    test = load_corpus(settings).test.front();
  }
};

const TrainedRuns& trained() {
  static const TrainedRuns runs;
  return runs;
}

Ended translate(const std::string& run, const std::string& input, const std::vector<std::string>& more = {},
                const std::string& direction = "aa-ba") {
  std::vector<std::string> arguments = {"translate", "--run", run_folder(trained().out, run).string(), "--direction",
                                        direction};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments, input);
}

}  // namespace

TEST_CASE("translating the test set again gives the hypotheses that were scored") {
  for (const std::string run : {"dense", "switch", "hash"}) {
    const std::vector<std::string> directions = {"aa-ba", "ba-ab"};
    for (std::size_t d = 0; d < directions.size(); ++d) {
      INFO(run << " " << directions[d]);
      const Ended ended = translate(run, join(trained().test.directions[d].source, "\n") + "\n", {}, directions[d]);
      // These models have hardly learned to end.
      CHECK((ended.error.empty() || contains(ended.error, "translations reached the length limit")));
      CHECK(ended.status == 0);
      CHECK(ended.output == read_file(run_folder(trained().out, run) / "hypotheses" / (directions[d] + ".test.txt")));
    }
  }
}

TEST_CASE("as many lines come out as went in") {
  const std::string line = trained().test.directions[0].source[0];
  const auto lines = [&](const std::string& input) {
    const std::string output = translate("dense", input).output;
    return std::count(output.begin(), output.end(), '\n');
  };
  CHECK(lines("") == 0);
  CHECK(lines(line) == 1);
  CHECK(lines(line + "\n" + line + "\n") == 2);
}

TEST_CASE("Windows line ends and a byte order mark do not reach the model") {
  const std::string line = trained().test.directions[0].source[0];
  const Ended expected = translate("dense", line + "\n" + line + "\n");
  const Ended ended = translate("dense", "\xEF\xBB\xBF" + line + "\r\n" + line + "\r\n");
  CHECK(ended.status == 0);
  CHECK(ended.output == expected.output);
  CHECK(names(ended.error, {"standard input: ", "byte order mark", "carriage returns"}));
  CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
}

TEST_CASE("a word of any length is translated") {
  std::string line = trained().test.directions[0].source[0];
  line.erase(std::remove(line.begin(), line.end(), ' '), line.end());
  CHECK(translate("dense", line + line + "\n").status == 0);
}

TEST_CASE("a line without words gives an empty line and changes no other") {
  const std::string one = trained().test.directions[0].source[0], two = trained().test.directions[0].source[1];
  for (const std::string run : {"dense", "hash"}) {
    const std::vector<std::string> expected = split(translate(run, one + "\n" + two + "\n").output, '\n');
    REQUIRE(expected.size() == 3);
    const Ended ended = translate(run, "\n" + one + "\n \t\r\n\u3000\u00a0\n\n" + two + "\n\n");
    CHECK(ended.status == 0);
    CHECK(ended.output == "\n" + expected[0] + "\n\n\n\n" + expected[1] + "\n\n");
  }
  CHECK(translate("dense", "\n").output == "\n");
  CHECK(translate("dense", " ").output == "\n");
}

TEST_CASE("what the length limit cuts is said once, and a higher limit cuts less") {
  const std::string lines = join(trained().test.directions[0].source, "\n") + "\n\n";
  const Ended cut = translate("dense", lines, {"--max-length-ratio", "0", "--max-length-constant", "2"});
  CHECK(cut.status == 0);
  CHECK(names(cut.error,
              {"8 of 8 translations reached the length limit", "--max-length-ratio", "--max-length-constant"}));
  CHECK(std::count(cut.error.begin(), cut.error.end(), '\n') == 1);
  CHECK(translate("dense", lines, {"--max-length-ratio", "0", "--max-length-constant", "200"}).error.empty());
  CHECK(translate("dense", lines, {"--max-length-ratio", "2"}).output == translate("dense", lines).output);
}

TEST_CASE("numbers of the options have the limits of a sweep's") {
  const auto error_with = [](const std::string& option, const std::string& value) {
    const Ended ended = translate("dense", "x\n", {option, value});
    CHECK(ended.status == (ended.output.empty() ? 2 : 0));
    return ended.output.empty() ? ended.error.substr(0, ended.error.find('\n')) : "";
  };
  CHECK(names(error_with("--beam", "1000000000"), {"--beam: found 1000000000,", "1 to 64"}));
  CHECK(names(error_with("--beam", "0"), {"--beam: found 0,", "1 to 64"}));
  CHECK(names(error_with("--beam", "99999999999999999999"), {"--beam: found 1e+20,", "1 to 64"}));
  CHECK(names(error_with("--beam", "2.5"), {"--beam: found 2.5,", "whole number"}));
  CHECK(error_with("--beam", "64").empty());
  CHECK(names(error_with("--length-penalty", "nan"), {"--length-penalty: found \"nan\""}));
  CHECK(names(error_with("--length-penalty", "-inf"), {"--length-penalty: found \"-inf\""}));
  CHECK(names(error_with("--length-penalty", "-0.1"), {"--length-penalty: found -0.1,", "0 to 10"}));
  CHECK(error_with("--length-penalty", ".6").empty());
  CHECK(names(error_with("--max-length-ratio", "1e9"), {"--max-length-ratio: found 1000000000.0,", "0 to 100"}));
  CHECK(names(error_with("--max-length-constant", "-1"), {"--max-length-constant: found -1,", "0 to 10000"}));
}

TEST_CASE("a model whose numbers are not finite translates nothing, with status 1") {
  const TemporaryFolder copy;
  fs::copy(run_folder(trained().out, "dense"), copy.path() / "run", fs::copy_options::recursive);
  const RunFolder folder{copy.path() / "run"};
  const RunSpec spec = read_run_config(folder);
  const RunData data = load_run_data(spec.data, folder.vocabulary());
  const std::shared_ptr<Transformer> model = build_model(spec, data.counts);
  Trainer trainer(*model, data.train, 1, spec.training, spec.strategy.objective, torch::kCPU);
  RunState state;
  state.origin = run_fingerprint(folder, spec);
  load_checkpoint(folder.checkpoint(), trainer, state);
  {
    const torch::NoGradGuard no_gradient;
    model->named_parameters()["embedding"].fill_(std::nan(""));
  }
  state.mean.add(*model);
  save_checkpoint(folder.checkpoint(), trainer, state);

  const Ended ended = run_program({"translate", "--run", folder.path.string(), "--direction", "aa-ba"}, "x\n");
  CHECK(ended.status == 1);
  CHECK(ended.output.empty());
  CHECK(contains(ended.error, "not a finite number"));
  CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
}

TEST_CASE("a request that cannot be met is one sentence and status 2") {
  const auto refused = [](const Ended& ended, const std::string& part) {
    INFO(ended.error);
    CHECK(ended.status == 2);
    CHECK(ended.output.empty());
    CHECK(contains(ended.error, part));
    CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
  };
  refused(translate("dense", "x\n", {}, "aa-bb"), "--direction aa-bb: the run knows aa-ba, ba-ab");
  refused(translate("dense", "x\n", {"--inference", "mean"}), "\"dense\"");
  refused(translate("dense", "x\ny\xff\n"), "standard input:2: invalid UTF-8 at byte 2");
  refused(translate("dense", "x\ry\r"), "standard input: lines end with U+000D");
  refused(run_program({"translate", "--run", trained().folder.path().string(), "--direction", "aa-ba"}),
          "has no checkpoint.safetensors");
}

TEST_CASE("a device that is not there is one sentence and status 3") {
  if (torch::cuda::is_available()) return;
  const Ended ended = translate("dense", "x\n", {"--device", "cuda"});
  CHECK(ended.status == 3);
  CHECK(ended.output.empty());
  CHECK(names(ended.error, {"--device cuda: ", "no GPU"}));
  CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
}

}  // namespace moe
