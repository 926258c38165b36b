#include "harness/commands/validate_command.h"

#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <sstream>

namespace moe {
namespace {

struct Outcome {
  ExitStatus status;
  std::string out;
  std::string errors;
};

/// Validates with the working directory of the test; FOLDER in the texts stands for a folder with `files`.
Outcome validate(const std::string& sweep, const std::vector<std::pair<std::string, std::string>>& files = {}) {
  const TemporaryFolder folder;
  for (const auto& [name, text] : files) write_file(folder.path() / name, text);
  std::string text = sweep;
  const std::size_t mark = text.find("FOLDER");
  if (mark != std::string::npos) text.replace(mark, 6, folder.path().string());
  write_file(folder.path() / "s.json", text);
  std::ostringstream out;
  std::ostringstream errors;
  const ExitStatus status = validate_sweep(folder.path() / "s.json", {}, true, out, errors);
  const auto hide_folder = [&](std::string shown) {
    for (std::size_t at = shown.find(folder.path().string()); at != std::string::npos;
         at = shown.find(folder.path().string())) {
      shown.replace(at, folder.path().string().size(), "FOLDER");
    }
    return shown;
  };
  return {status, hide_folder(out.str()), hide_folder(errors.str())};
}

TEST_CASE("a right sweep is summed up") {
  const Outcome outcome = validate(R"({"data": {"source": "synthetic", "directions": ["aa-ab"]},
      "grid": {"strategy.router": ["dense", "switch", {"router": "thor", "objective": {"consistency": 0}}],
               "strategy.experts": [2, 8], "training.seed": [1, 2, 3]}})");
  CHECK(outcome.status == ExitStatus::success);
  CHECK(outcome.errors.empty());
  CHECK(outcome.out ==
        "FOLDER/s.json: 15 runs of 3 strategies.\n"
        "  dense                 3 runs\n"
        "  switch                6 runs, experts 2 8\n"
        "  thor (consistency 0)  6 runs, experts 2 8\n");
}

TEST_CASE("all errors are printed, of the file and of the data") {
  const Outcome outcome =
      validate(R"({"data": {"root": "FOLDER/none"}, "strategy": {"router": "dens"}, "trainin": {}})");
  CHECK(outcome.status == ExitStatus::request_wrong);
  CHECK(outcome.out.empty());
  const std::vector<std::string> lines = split(outcome.errors, '\n');
  REQUIRE(lines.size() == 4);
  CHECK(names(lines[0], {"FOLDER/s.json: trainin: ", "\"training\""}));
  CHECK(lines[1].starts_with("FOLDER/s.json: strategy.router: found \"dens\", allowed is one of dense,"));
  CHECK(lines[2].starts_with("FOLDER/s.json: data.root: no folder \"FOLDER/none\";"));
}

TEST_CASE("broken JSON") {
  const Outcome outcome = validate("{\n  \"name\": x\n}");
  CHECK(outcome.status == ExitStatus::request_wrong);
  CHECK(outcome.errors.starts_with("FOLDER/s.json:2:11: not valid JSON: "));
}

TEST_CASE("missing data is reported, and no error of the request") {
  const Outcome no_folder = validate(R"({"data": {"root": "FOLDER/none"}})");
  CHECK(no_folder.status == ExitStatus::success);
  CHECK(no_folder.errors.starts_with("FOLDER/s.json: data.root: no folder \"FOLDER/none\";"));
  CHECK(std::count(no_folder.errors.begin(), no_folder.errors.end(), '\n') == 1);
  CHECK(no_folder.out == "FOLDER/s.json: 1 run of 1 strategy.\n  dense  1 run\n");

  const Outcome no_files = validate(R"({"data": {"root": "FOLDER"}})", {{"train.de", "a\n"}, {"train.en", "b\n"}});
  CHECK(no_files.status == ExitStatus::success);
  CHECK(split(no_files.errors, '\n').size() == 4 + 1);  // val.de, val.en, test.de, test.en
}

TEST_CASE("data that is there and wrong is an error") {
  const Outcome outcome =
      validate(R"({"data": {"root": "FOLDER", "test": ["val"]}})",
               {{"train.de", "a\nb\n"}, {"train.en", "a\n"}, {"val.de", ""}, {"val.en", "a\xFF\n"}});
  CHECK(outcome.status == ExitStatus::request_wrong);
  CHECK(outcome.out.empty());
  CHECK(split(outcome.errors, '\n').size() == 3 + 1);
  CHECK(outcome.errors.find("train.de: has 2 lines") != std::string::npos);
  CHECK(outcome.errors.find("val.de: the file is empty.") != std::string::npos);
  CHECK(outcome.errors.find("val.en:1: invalid UTF-8") != std::string::npos);
}

TEST_CASE("a word that a vocabulary cannot be made from is an error") {
  const Outcome outcome = validate(
      R"({"data": {"root": "FOLDER", "test": ["val"]}})",
      {{"train.de", std::string(32769, 'x') + "\n"}, {"train.en", "a\n"}, {"val.de", "a\n"}, {"val.en", "a\n"}});
  CHECK(outcome.status == ExitStatus::request_wrong);
  CHECK(names(outcome.errors, {"FOLDER/s.json: FOLDER/train.de:1: ", "32769", "32768"}));
  CHECK(std::count(outcome.errors.begin(), outcome.errors.end(), '\n') == 1);
}

TEST_CASE("what is left out of files is noted, and no error") {
  const Outcome outcome = validate(
      R"({"data": {"root": "FOLDER", "test": ["val"]}, "grid": {"data.max_length": [10, 20]}})", {{"train.de", "a\r\n"},
                                                                                                  {"train.en", "a\n"},
                                                                                                  {"val.de", "a\n"},
                                                                                                  {"val.en",
                                                                                                   "\xEF\xBB\xBF"
                                                                                                   "a\n"}});
  CHECK(outcome.status == ExitStatus::success);
  CHECK(each_names(split(outcome.errors, '\n'),
                   {{"FOLDER/train.de: ", "carriage returns"}, {"FOLDER/val.en: ", "byte order mark"}, {""}}));
}

TEST_CASE("a router's file that is not there is an error, as often as it is named") {
  const std::string sweep = R"({"data": {"source": "synthetic", "directions": ["aa-ab"]}, "training": {"seed": 1},
      "strategy": {"router": "hash", "table": "file", "table_file": "FOLDER/table.txt"},
      "grid": {"strategy.experts": [2, 4]}})";
  const Outcome missing = validate(sweep);
  CHECK(missing.status == ExitStatus::request_wrong);
  CHECK(each_names(split(missing.errors, '\n'),
                   {{"FOLDER/s.json: strategy.table_file: FOLDER/table.txt: ", "cannot be read"}, {""}}));
  const Outcome folder = validate(sweep, {{"table.txt/x", ""}});
  CHECK(each_names(split(folder.errors, '\n'),
                   {{"FOLDER/s.json: strategy.table_file: FOLDER/table.txt: ", "folder"}, {""}}));
  CHECK(validate(sweep, {{"table.txt", "0\n"}}).status == ExitStatus::success);
}

}  // namespace
}  // namespace moe
