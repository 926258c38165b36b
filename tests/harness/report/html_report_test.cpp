#include "harness/report/html_report.h"

#include "tests/harness/charts_fixture.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

std::string page_of(const ResultFolder& folder, const std::vector<DrawnChart>& charts = {},
                    const std::string& drawing_failure = "", const std::vector<Verdict>& verdicts = {}) {
  const ResultSet results = read_results({folder.path()}, {});
  return html_report(results, {make_results_table(results), verdicts}, charts, drawing_failure);
}

/// Whether texts stand in the page one after the other.
bool in_order(const std::string& page, const std::vector<std::string>& texts) {
  std::size_t at = 0;
  for (const std::string& text : texts) {
    at = page.find(text, at);
    if (at == std::string::npos) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("the page shows what was run, the table and the failures") {
  const ResultFolder folder;
  folder.write(example_result({.undertrained = true}));
  folder.write(failed_result({.seed = 2}, "The loss is <NaN> & gone."));
  std::filesystem::create_directories(folder.path() / "runs/still-running");
  const std::string page = page_of(folder);
  CHECK_THAT(page, has_text("1 finished, 1 failed, 1 not finished yet"));
  CHECK_THAT(page, has_text("Example CPU, 2 cores, 1 thread, cpu"));
  CHECK_THAT(page, has_text("moe-bench 0.1.0 (abc), LibTorch 2.15.0, GCC 12"));
  CHECK_THAT(page, has_text("switch †</td>"));
  CHECK_THAT(page, has_text("†: undertrained."));
  CHECK_THAT(page, has_text("<code>switch-e4-s2-de-en</code>: The loss is &lt;NaN&gt; &amp; gone."));
  CHECK_THAT(page, has_text("Left out, without a result: still-running."));
  CHECK_THAT(page, has_text("One seed each: differences are not tested."));
}

TEST_CASE("runs that the sweep plans and nobody has begun are named and counted") {
  const ResultFolder folder;
  folder.write(example_result({}));
  write_file(folder.path() / "sweep.json", format_json(test::small_sweep({{"grid", {{"training.seed", {5, 6}}}}})));
  const std::string page = page_of(folder);
  CHECK_THAT(page, has_text("1 finished, 2 not finished yet"));
  CHECK_THAT(page, has_text("The sweep plans runs that were not begun: switch, "));
}

TEST_CASE("translations of another program are counted apart, and are no failure") {
  const ResultFolder folder;
  folder.write(example_result({}));
  folder.write(imported_result("OPUS-MT", 1, 35));
  const std::string page = page_of(folder);
  CHECK_THAT(page, has_text("1 finished, 1 imported") && has_text("OPUS-MT (imported)"));
  CHECK_THAT(page, !has_text("Failed runs") && !has_text("their speeds do not compare"));
}

TEST_CASE("charts are inline, with ids of their own, and nothing is fetched") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const std::string svg =
      "<svg width=\"9\"><defs><linearGradient id=\"gradient_0\"/></defs><path fill=\"url(#gradient_0)\"/></svg>";
  const std::string page = page_of(folder, {{.name = "load", .title = "Load", .caption = "How full.", .svg = svg},
                                            {.name = "speed", .title = "Speed", .caption = "How fast.", .svg = svg}});
  CHECK_THAT(page, has_text("id=\"load-gradient_0\""));
  CHECK_THAT(page, has_text("url(#speed-gradient_0)"));
  CHECK_THAT(page, has_text("How full."));
  CHECK_THAT(page, has_text("<svg role=\"graphics-document\" tabindex=\"0\" aria-label=\"Load\""));
  CHECK_THAT(page, !has_text("<script ") && !has_text("<link") && !has_text(" src=") && !has_text("@import"));
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
  CHECK_THAT(page_of(folder), has_text("No run has a result yet.") && !has_text("<table>") && !has_text("differences"));
}

TEST_CASE("sections stand in the order of the questions, and only those that have something to say") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const std::string svg = "<svg width=\"9\"></svg>";
  const std::vector<DrawnChart> charts = {
      {.name = "speed", .section = Section::cost, .title = "Speed", .caption = "How fast.", .svg = svg},
      {.name = "forest", .section = Section::verdicts, .title = "Claims", .caption = "How sure.", .svg = svg},
      {.name = "load", .section = Section::why, .title = "Load", .caption = "How full.", .svg = svg}};
  const std::string page =
      page_of(folder, charts, "", {example_verdict("first", VerdictKind::supported, 1), untestable_verdict("second")});
  CHECK(in_order(page, {"<section id=\"words\"", "Of 2 claims 1 is supported and 1 is untestable.",
                        "Sentence of first.", "<section id=\"verdicts\"", "<figure id=\"forest\"", "Claim first</td>",
                        "<section id=\"results\"", "<section id=\"why\"", "<figure id=\"load\"", "<section id=\"cost\"",
                        "<figure id=\"speed\"", "<section id=\"run\""}));
  CHECK_THAT(page, !has_text("id=\"thor\"") && !has_text("href=\"#thor\""));
  const std::string without = page_of(folder);
  CHECK_THAT(without, !has_text("id=\"verdicts\""));
  CHECK(in_order(without, {"<section id=\"words\"", "One seed each: differences are not tested.", "</section>"}));
}

TEST_CASE("the keyboard reaches every table and chart, and can skip what comes before them") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const std::string page = page_of(folder);
  CHECK(in_order(page, {"<body>", "<a class=\"skip\" href=\"#content\">", "<main>"}));
  CHECK_THAT(page, has_text("role=\"region\" tabindex=\"0\" aria-label=\"Results\"><table>"));
}

TEST_CASE("the page says what defines its scores and how to cite the program") {
  const ResultFolder folder;
  folder.write(example_result({}));
  CHECK_THAT(page_of(folder), has_text("<dt>BLEU</dt><dd>b</dd>") && has_text("<dt>chrF</dt><dd>c</dd>") &&
                                  has_text("@software{moe-bench"));
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
