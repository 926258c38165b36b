#include "harness/report/text_table.h"

#include "tests/support/catch.h"

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

TEST_CASE("HTML escapes its four characters once") {
  CHECK(escape_html("a < b && \"c\" > d") == "a &lt; b &amp;&amp; &quot;c&quot; &gt; d");
}

}  // namespace moe
