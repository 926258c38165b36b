#include "harness/commands/scale/scale_command.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/commands/scale/cluster_file.h"
#include "harness/commands/scale/recorded_layer.h"
#include "harness/commands/scale/scale_charts.h"
#include "harness/results/result_file.h"
#include "tests/harness/program.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <sstream>

namespace moe {
namespace {

namespace fs = std::filesystem;

const fs::path repository = MOE_BENCH_SOURCE_DIR;
const fs::path machine = repository / "experiments/machines/h100-ndr.json";

/// What the command prints for the result.
std::string scaled(const fs::path& result, ScaleRequest request = {}) {
  request.result = result;
  request.machine = machine;
  std::ostringstream out, notes;
  run_scale(request, out, notes);
  CHECK(notes.str().empty());
  return out.str();
}

/// The cells of the table's rows, without the header.
std::vector<std::vector<std::string>> rows_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with("|")) continue;
    std::vector<std::string> cells = split(line, '|');
    for (std::string& cell : cells) {
      cell.erase(0, cell.find_first_not_of(' '));
      cell.erase(cell.find_last_not_of(' ') + 1);
    }
    rows.emplace_back(cells.begin() + 1, cells.end() - 1);
  }
  REQUIRE(rows.size() > 2);
  rows.erase(rows.begin(), rows.begin() + 2);
  return rows;
}

}  // namespace

TEST_CASE("a table tells efficiencies and the better exchange for each number of ranks") {
  const ResultFolder folder;
  const fs::path result = folder.write(example_result({}));  // 4 experts, the first with half of the tokens
  ScaleRequest request;
  request.ranks = {2, 8, 16, 1024};
  request.tokens = 8192;
  request.top_k = 2;
  request.width = 1024;
  request.hidden = 4096;
  const std::string text = scaled(result, request);
  const auto rows = rows_of(text);
  REQUIRE(rows.size() == 4);
  CHECK(rows[0][1] == "1.33");  // (1/2 + 1/6) / (1/2)
  CHECK(rows[1][1] == "2.00");
  CHECK(rows[0].back() == "equal");
  CHECK(rows[1].back() == "equal");
  CHECK(rows[2].back() == "flat");
  CHECK(rows[3].back() == "two-level");
  CHECK(rows[1][4] == "4.12 ms");  // 2 * 12 * 8192 * 2 * 1024 * 4096 / 400e12
  CHECK_THAT(text, has_text("A model, nothing measured"));
  CHECK_THAT(text, has_text("8192 tokens a rank, top-2, width 1024, hidden 4096, 2 bytes an element"));
  CHECK_THAT(text, has_text("0.19 times the computation inside a node and 1.4 times between nodes"));
  // 80 GB at 16 bytes; 4 million parameters less 4 experts of 2 * 128 * 256 + 256 + 128.
  CHECK_THAT(text, has_text("80 GB hold at most 5.00 G parameters"));
  CHECK_THAT(text, has_text("The run has 3.74 M of them, and 4.00 M parameters in all."));
  CHECK_THAT(text, has_text("More than 4 ranks are for a model with more experts"));
}

TEST_CASE("what is not asked for is the run's, and ranks are doubled up to 1024") {
  const fs::path result = repository / "results/multi30k-experts/runs/switch-e8-de-en-s1-43601335/result.json";
  const std::string text = scaled(result);
  CHECK(rows_of(text).size() == 10);
  CHECK_THAT(text, has_text("512 tokens a rank, top-1, width 128, hidden 256"));
  ScaleRequest request;
  request.most_ranks = 4;
  CHECK(rows_of(scaled(result, request)).back().front() == "4");
  // Of one expert a token, the other seven of eight are what is not active.
  const RecordedLayers layers = read_recorded_layers(result);
  const RunRecord record = read_run_record(read_result(result), result.string());
  CHECK(layers.loads.size() == 2);
  CHECK(7 * (layers.parameters - layers.dense_parameters) ==
        8 * (record.parameters->total - record.parameters->active));
  const double first = *std::max_element(layers.loads[0].begin(), layers.loads[0].end());
  const double second = *std::max_element(layers.loads[1].begin(), layers.loads[1].end());
  CHECK(mean_imbalance_on(layers, 8) == Approx(8 * (first + second) / 2));
}

TEST_CASE("runs without an exchange and ranks that fill no node are refused") {
  const ResultFolder folder;
  const fs::path dense = folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  CHECK(names(error_of([&] { scaled(dense); }), {dense.string() + ": routing: ", "no MoE layer"}));
  const fs::path failed = folder.write(failed_result({.seed = 2}, "Out of memory."));
  CHECK(names(error_of([&] { scaled(failed); }), {failed.string() + ": routing: ", "no MoE layer"}));
  ScaleRequest request;
  request.ranks = {12};
  const fs::path result = folder.write(example_result({}));
  CHECK(names(error_of([&] { scaled(result, request); }), {"--ranks 12: ", "8 ranks of a node", "whole nodes"}));
}

TEST_CASE("everything wrong with a description of a cluster is said at once, with its path") {
  for (const char* name : {"h100-ndr.json", "a100-hdr.json"}) {
    CHECK_FALSE(read_cluster(repository / "experiments/machines" / name).source.empty());
  }
  CHECK(read_cluster(machine).cluster().inside_bandwidth == 350e9);
  CHECK(read_cluster(machine).cluster().between_latency == Approx(2e-6));
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "m.json").string();
  Json json = read_json(machine);
  json.erase("source");
  json["rank_tflops"] = 0;
  json["ranks_per_node"] = 2.5;
  json["inside_latency"] = 1;
  write_file(file, format_json(json));
  const std::vector<std::string> errors = split(error_of([&] { read_cluster(file); }), '\n');
  CHECK(each_names(errors, {{file + ": rank_tflops: found 0", "above 0"},
                            {file + ": ranks_per_node: found 2.5", "whole number"},
                            {file + ": inside_latency: unknown key", "inside_latency_us"},
                            {file + ": source: is missing"}}));
  write_file(file, "[1]");
  CHECK(names(error_of([&] { read_cluster(file); }), {file + ": found [1]", "object"}));
}

TEST_CASE("charts say that they show a model, and hold what the table holds") {
  const Cluster cluster = read_cluster(machine).cluster();
  const LayerShape shape = {8192, 2, 1024, 4096};
  const std::vector<LayerCost> costs = {layer_cost(shape, cluster, 8, 1), layer_cost(shape, cluster, 1024, 1)};
  const Json efficiency = efficiency_against_ranks(costs, {"a", "b"}), time = time_against_ranks(costs, {"a"});
  for (const Json& chart : {efficiency, time}) {
    CHECK_THAT(chart["title"]["text"].get<std::string>(), has_text("(model)"));
  }
  CHECK(efficiency["title"]["subtitle"].size() == 2);
  const Json& points = efficiency["data"]["values"];
  REQUIRE(points.size() == 4);
  CHECK(points[0]["exchange"] == "flat");
  CHECK(points[3]["exchange"] == "two-level");
  CHECK(points[3]["ranks"] == 1024);
  CHECK(points[3]["efficiency"].get<double>() == Approx(costs[1].efficiency(costs[1].two_level)));
  const Json& parts = time["data"]["values"];
  REQUIRE(parts.size() == 12);  // two exchanges, two numbers of ranks, three parts
  CHECK(parts[5]["part"] == "latency");
  CHECK(parts[5]["milliseconds"].get<double>() == Approx(1e3 * costs[1].flat.latency));
}

TEST_CASE("the program takes lists of ranks, and leaves the charts' specifications where they cannot be drawn") {
  const ResultFolder folder;
  const fs::path result = folder.write(example_result({})), out = folder.path() / "charts";
  const Ended ended =
      run_program({"scale", "--ranks", "8,64", result.string(), "--machine", machine.string(), "--out", out.string()});
  CHECK(ended.status == 0);
  CHECK(rows_of(ended.output).size() == 2);
  CHECK(names(ended.error, {"The charts were not drawn: "}));
  CHECK(fs::exists(out / "scale_efficiency.vl.json"));
  CHECK(fs::exists(out / "scale_time.vl.json"));
  const Ended zero = run_program({"scale", result.string(), "--machine", machine.string(), "--ranks", "8,0"});
  CHECK(zero.status == 2);
  CHECK_THAT(zero.error, has_text("--ranks: found \"0\""));
}

}  // namespace moe
