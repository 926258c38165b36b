#include "harness/report/tables/text_table.h"

#include "tests/harness/results_fixture.h"

namespace moe {
namespace {

const TextTable table = {
    .header = {"name", "value"}, .numeric = {false, true}, .rows = {{"a, \"b\"", "1"}, {"ä|†", "23.5 ± 1"}}};

}  // namespace

TEST_CASE("markdown pads to characters, not bytes, and escapes the bar") {
  CHECK(to_markdown(table) ==
        "| name   |    value |\n"
        "| ------ | -------: |\n"
        "| a, \"b\" |        1 |\n"
        "| ä\\|†   | 23.5 ± 1 |\n");
}

TEST_CASE("CSV quotes what needs it") {
  CHECK(to_csv(table) ==
        "name,value\n"
        "\"a, \"\"b\"\"\",1\n"
        "ä|†,23.5 ± 1\n");
}

TEST_CASE("LaTeX has the rules of booktabs, and escapes what it would read as its own") {
  CHECK(to_latex(table) ==
        "% \\usepackage{booktabs}\n"
        "\\begin{tabular}{lr}\n"
        "\\toprule\n"
        "name & value \\\\\n"
        "\\midrule\n"
        "a, \"b\" & 1 \\\\\n"
        "ä|$^\\dagger$ & 23.5 $\\pm$ 1 \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n");
  CHECK_THAT(to_latex({{"a_b & 5 %"}, {false}, {{"\\x{y}~$#^"}, {"[<1]"}}}),
             has_text("a\\_b \\& 5 \\%") &&
                 has_text("\\textbackslash{}x\\{y\\}\\textasciitilde{}\\$\\#\\textasciicircum{}") &&
                 has_text("{[}$<$1]"));
}

TEST_CASE("HTML escapes its four characters once") {
  CHECK(escape_html("a < b && \"c\" > d") == "a &lt; b &amp;&amp; &quot;c&quot; &gt; d");
}

}  // namespace moe
