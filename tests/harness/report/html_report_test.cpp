#include "harness/report/html_report.h"

#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

std::string page_of(const ResultFolder& folder, const std::vector<DrawnChart>& charts = {},
                    const std::string& drawing_failure = "") {
  const ResultSet results = read_results({folder.path()}, {});
  return html_report(results, make_results_table(results), charts, drawing_failure);
}

}  // namespace

TEST_CASE("the page shows what was run, the table and the failures") {
  const ResultFolder folder;
  folder.write(example_result({.undertrained = true}));
  folder.write(failed_result({.seed = 2}, "The loss is <NaN> & gone."));
  std::filesystem::create_directories(folder.path() / "runs/still-running");
  const std::string page = page_of(folder);
  CHECK_THAT(page, has_text("1 finished, 1 failed, 1 not finished yet"));
  CHECK_THAT(page, has_text("Example CPU; cores 2, threads 1, device cpu"));
  CHECK_THAT(page, has_text("moe-bench 0.1.0 (abc), LibTorch 2.15.0, GCC 12"));
  CHECK_THAT(page, has_text("switch †</td>"));
  CHECK_THAT(page, has_text("†: undertrained."));
  CHECK_THAT(page, has_text("<code>switch-e4-s2-de-en</code>: The loss is &lt;NaN&gt; &amp; gone."));
  CHECK_THAT(page, has_text("A run without a result is left out."));
  CHECK_THAT(page, has_text("One seed each: differences are not tested."));
}

TEST_CASE("charts are inline, with ids of their own, and nothing is fetched") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const std::string svg =
      "<svg><defs><linearGradient id=\"gradient_0\"/></defs><path fill=\"url(#gradient_0)\"/></svg>";
  const std::string page = page_of(folder, {{.name = "load", .title = "Load", .caption = "How full.", .svg = svg},
                                            {.name = "speed", .title = "Speed", .caption = "How fast.", .svg = svg}});
  CHECK_THAT(page, has_text("id=\"load-gradient_0\""));
  CHECK_THAT(page, has_text("url(#speed-gradient_0)"));
  CHECK_THAT(page, has_text("How full."));
  CHECK_THAT(page, !has_text("<script") && !has_text("<link") && !has_text(" src=") && !has_text("@import"));
  CHECK_THAT(page, !has_text("href=\"http"));
}

TEST_CASE("charts that were not drawn leave a sentence") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const std::string page = page_of(folder, {{.name = "load", .title = "Load", .caption = "How full.", .svg = ""}},
                                   "The charts were not drawn: there is no Python.");
  CHECK_THAT(page, has_text("The charts were not drawn: there is no Python."));
  CHECK_THAT(page, !has_text("<figure id="));
}

TEST_CASE("a sweep without any result has a page too") {
  const ResultFolder folder;
  CHECK_THAT(page_of(folder), has_text("No run has a result yet.") && !has_text("<table>"));
}

TEST_CASE("speeds of different machines do not compare") {
  const ResultFolder folder;
  folder.write(example_result({.seed = 1}));
  Json other = example_result({.seed = 2});
  other["measurements"]["host"]["cpu"] = "Another CPU";
  folder.write(other);
  CHECK_THAT(page_of(folder), has_text("their speeds do not compare"));
}

}  // namespace moe
