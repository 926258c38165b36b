#include "harness/report/citation.h"

#include "core/files.h"
#include "core/text.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// The value of a key that stands on a line of its own in CITATION.cff.
std::string citation_value(const std::string& key) {
  for (const std::string& line : split(read_file(std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "CITATION.cff"), '\n')) {
    if (line.starts_with(key + ": ")) return line.substr(key.size() + 2);
  }
  return "";
}

}  // namespace

TEST_CASE("the BibTeX entry says what CITATION.cff says") {
  const std::string entry = bibtex_entry();
  CHECK(entry.starts_with("@software{moe-bench,\n"));
  CHECK(entry.ends_with("}\n"));
  for (const auto& [key, field] : {std::pair("title", "title = {{"), std::pair("version", "version = {"),
                                   std::pair("license", "license = {"), std::pair("  - name", "author = {{")}) {
    INFO(key);
    REQUIRE(!citation_value(key).empty());
    CHECK_THAT(entry, has_text(field + citation_value(key) + "}"));
  }
}

}  // namespace moe
