#include "harness/report/report.h"

#include "core/error.h"
#include "harness/report/draw_charts.h"
#include "routers/registry.h"
#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// An environment variable that has its old value back when the object goes.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value, 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("a report is written without Python, and says that charts were not drawn") {
  const Environment python("MOE_BENCH_PYTHON", "/nowhere/python");
  const ResultFolder folder;
  const std::filesystem::path result = folder.write(example_result({.router = "switch", .label = "switch"}));
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  folder.write(failed_result({.router = "hash", .label = "hash"}, "No, \"never\"."));
  write_file(folder.path() / "report/charts/speed.svg", "of an earlier report");
  const std::string before = read_file(result);
  write_report(read_results({folder.path()}, router_names()), {}, folder.path());

  CHECK(read_file(result) == before);
  const Json summary = read_json(folder.path() / "summary.json");
  CHECK(summary["runs"].size() == 3);
  CHECK(summary["runs"][0]["strategy"] == "dense");  // the registry's order, not that of the folders
  CHECK(summary["runs"][1]["test.de-en.bleu"] == 30.0);
  CHECK(summary["runs"][2]["failure"] == "No, \"never\".");
  CHECK(summary["groups"][1]["test.de-en.bleu"]["n"] == 1);
  CHECK(summary["groups"][1]["test.de-en.bleu"]["sd"].is_null());
  CHECK_THAT(read_file(folder.path() / "summary.csv"),
             has_text("run_id,status,strategy,router,experts,seed,") && has_text("\"No, \"\"never\"\".\"\n"));
  CHECK_THAT(read_file(folder.path() / "report/tables/results.md"),
             has_text("| dense ") && has_text("One seed each: differences are not tested."));
  CHECK_THAT(read_file(folder.path() / "report/tables/results.tex"), has_text("\\begin{tabular}{lrrrrr}"));
  CHECK(summary["claims"].empty());
  CHECK_THAT(read_file(folder.path() / "report/tables/results.csv"), has_text("strategy,router,experts,"));
  CHECK_THAT(read_file(folder.path() / "report/index.html"),
             has_text("The charts were not drawn: there is no Python at /nowhere/python"));
  CHECK(read_json(folder.path() / "report/charts/speed.vl.json")["title"]["text"] == "Training speed");
  CHECK_FALSE(std::filesystem::exists(folder.path() / "report/charts/speed.svg"));
}

TEST_CASE("claims have tables of their own, which go when nothing is claimed any more") {
  const Environment python("MOE_BENCH_PYTHON", "/nowhere/python");
  const ResultFolder folder;
  folder.write(example_result({}));
  const ResultSet results = read_results({folder.path()}, router_names());
  write_report(results, {example_verdict("first", VerdictKind::supported, 1)}, folder.path());
  const std::filesystem::path tables = folder.path() / "report/tables";
  CHECK(read_json(folder.path() / "summary.json")["claims"][0]["id"] == "first");
  CHECK_THAT(read_file(tables / "claims.md"), has_text("| Claim first | supported |"));
  CHECK_THAT(read_file(tables / "claims.csv"), has_text("first,Claim first,better,bleu,supported,"));
  CHECK_THAT(read_file(tables / "claims.tex"), has_text("Claim first & supported & BLEU & +1.00"));
  write_report(results, {}, folder.path());
  for (const char* name : {"claims.md", "claims.csv", "claims.tex"})
    CHECK_FALSE(std::filesystem::exists(tables / name));
}

TEST_CASE("language pairs have a table of their own where there are several") {
  const Environment python("MOE_BENCH_PYTHON", "/nowhere/python");
  const ResultFolder folder;
  folder.write(example_result({.directions = {"de-en", "fr-en"}}));
  write_report(read_results({folder.path()}, router_names()), {}, folder.path());
  const std::filesystem::path tables = folder.path() / "report/tables";
  CHECK_THAT(read_file(tables / "directions.tex"), has_text("switch & 4 & 30.0 & 30.0 & 30.0"));
  CHECK_THAT(read_file(tables / "directions.csv"), has_text("strategy,experts,de-en,fr-en,mean\n"));
  CHECK_THAT(read_file(folder.path() / "report/index.html"), has_text("<h3>By language pair</h3>"));
}

TEST_CASE("drawing that fails names its reason") {
  const Environment python("MOE_BENCH_PYTHON", "/bin/false");
  const ResultFolder folder;
  CHECK_THAT(draw_charts(folder.path()).value(), has_text("ended with status 1"));
}

TEST_CASE("an unreadable result is named on the page, and the others are reported") {
  const Environment python("MOE_BENCH_PYTHON", "/bin/false");
  const ResultFolder folder;
  folder.write(example_result({}));
  write_file(folder.path() / "runs/broken/result.json", "{}");
  write_report(read_results({folder.path()}, router_names()), {}, folder.path());
  CHECK_THAT(read_file(folder.path() / "report/index.html"),
             has_text("runs/broken/result.json: the key &quot;schema_version&quot; is missing."));
  CHECK(read_json(folder.path() / "summary.json")["runs"].size() == 1);
}

TEST_CASE("charts are drawn and stand in the page") {
  const ResultFolder folder;
  folder.write(example_result({}));
  write_report(read_results({folder.path()}, router_names()), {}, folder.path());
  const std::string page = read_file(folder.path() / "report/index.html");
  if (page.find("The charts were not drawn") != std::string::npos) {
    WARN("Skipped: this machine has no vl-convert-python to draw with.");
    return;
  }
  for (const char* name : {"parameter_efficiency", "validation_curves", "expert_load", "speed"}) {
    const std::filesystem::path base = folder.path() / "report/charts" / name;
    CHECK_THAT(read_file(base.string() + ".svg"), has_text("<svg"));
    CHECK_THAT(read_file(base.string() + ".png"), has_text("PNG"));
    CHECK_THAT(page, has_text("<figure id=\"" + std::string(name) + "\""));
  }
}

}  // namespace moe
