#include "tests/harness/program.h"
#include "tests/support/catch.h"

#include <sstream>

namespace moe {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("a dry run names every run with its parameters, and writes nothing") {
  const TemporaryFolder folder;
  Json sweep = tiny_sweep();
  sweep["grid"]["strategy.router"] = {"dense", "switch", "thor"};
  write_file(folder.path() / "sweep.json", format_json(sweep));
  const Ended ended = run_program(run_arguments(folder.path() / "sweep.json", folder.path() / "out", {"--dry-run"}));
  CHECK(ended.status == 0);
  CHECK(ended.error.empty());
  CHECK_FALSE(std::filesystem::exists(folder.path() / "out"));
  const std::vector<std::string> lines = lines_of(ended.output);
  REQUIRE(lines.size() == 5);  // heading, three runs, sum
  CHECK(lines[1].rfind("dense, seed 1 ", 0) == 0);
  CHECK(lines[2].rfind("switch, 2 experts, seed 1 ", 0) == 0);
  CHECK(lines[3].rfind("thor, 2 experts, seed 1 ", 0) == 0);
  CHECK(lines[4].rfind("3 runs, about ", 0) == 0);

  // By hand, D 16, F 24, V 200. Attention: 4 (D D + D); FFN: 2 D F + F + D; a layer norm: 2 D.
  // An encoder block has 1 attention and 2 norms, a decoder block 2 and 3; two of each, two last norms, V D embeddings.
  constexpr int attention = 4 * (16 * 16 + 16), ffn = 2 * 16 * 24 + 24 + 16, norm = 2 * 16;
  constexpr int dense = 200 * 16 + 2 * (attention + ffn + 2 * norm) + 2 * (2 * attention + ffn + 3 * norm) + 2 * norm;
  const auto counts = [](const std::string& line) {
    std::istringstream stream(line.substr(44));
    std::pair<int, int> result;
    stream >> result.first >> result.second;
    return result;
  };
  CHECK(counts(lines[1]) == std::pair(dense, dense));
  CHECK(counts(lines[2]) == std::pair(dense + 2 * ffn + 2 * 2 * 16, dense + 2 * 2 * 16));  // and a gate of E D
  CHECK(counts(lines[3]) == std::pair(dense + 2 * ffn, dense));
}

TEST_CASE("a dry run names what differs between its runs, of the strategy or not") {
  const TemporaryFolder folder;
  Json sweep = tiny_sweep();
  sweep["strategy"]["router"] = "switch";
  sweep["grid"] = {{"model.dropout", {0.0, 0.2}}, {"data.synthetic.train_sentences", {100, 200}}};
  write_file(folder.path() / "sweep.json", format_json(sweep));
  const std::vector<std::string> lines =
      lines_of(run_program(run_arguments(folder.path() / "sweep.json", folder.path() / "out", {"--dry-run"})).output);
  REQUIRE(lines.size() == 6);  // heading, four runs, sum
  CHECK(lines[1].starts_with("switch, 2 experts, train_sentences 100, dropout 0.0, seed 1 "));
  CHECK(lines[2].starts_with("switch, 2 experts, train_sentences 200, dropout 0.0, seed 1 "));
  CHECK(lines[3].starts_with("switch, 2 experts, train_sentences 100, dropout 0.2, seed 1 "));
  CHECK(lines[4].starts_with("switch, 2 experts, train_sentences 200, dropout 0.2, seed 1 "));
}

TEST_CASE("a dry run counts the words of a world") {
  const TemporaryFolder folder;
  Json sweep = tiny_sweep();
  sweep["data"].erase("vocabulary");
  sweep["data"]["world"] = "null";
  sweep["training"]["updates"] = 1;
  write_file(folder.path() / "sweep.json", format_json(sweep));
  const auto run = [&](const std::vector<std::string>& more) {
    return run_program(run_arguments(folder.path() / "sweep.json", folder.path() / "out", more));
  };
  const std::vector<std::string> lines = lines_of(run({"--dry-run"}).output);
  REQUIRE(run({}).status == 0);
  const Json parameters = read_json(run_folder(folder.path() / "out", "switch") / "result.json").at("parameters");
  CHECK(lines.at(1).find(" " + std::to_string(parameters.at("total").get<std::int64_t>()) + " ") != std::string::npos);
}

TEST_CASE("a dry run says what is missing of the data and goes on") {
  const TemporaryFolder folder;
  Json sweep = tiny_sweep();
  sweep["data"] = {{"source", "text"}, {"root", "/no/such/folder"}, {"directions", {"de-en"}}, {"vocabulary", 200}};
  write_file(folder.path() / "sweep.json", format_json(sweep));
  const Ended ended = run_program(run_arguments(folder.path() / "sweep.json", folder.path() / "out", {"--dry-run"}));
  CHECK(ended.status == 0);
  const std::vector<std::string> lines = lines_of(ended.output);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].starts_with("data: data.root: no folder \"/no/such/folder\"; put one file SPLIT.LANG"));
}

TEST_CASE("a dry run of a sweep that is wrong is an error") {
  const TemporaryFolder folder;
  Json sweep = tiny_sweep();
  sweep["model"]["heads"] = 3;
  write_file(folder.path() / "sweep.json", format_json(sweep));
  CHECK(run_program(run_arguments(folder.path() / "sweep.json", folder.path() / "out", {"--dry-run"})).status == 2);
}

}  // namespace moe
