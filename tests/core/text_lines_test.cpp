#include "core/text_lines.h"

#include "core/error.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("lines end at U+000A, the last one also without") {
  CHECK(split_lines("a\n\nb", "x").lines == Lines{"a", "", "b"});
  CHECK(split_lines("a\n\nb\n", "x").lines == Lines{"a", "", "b"});
  CHECK(split_lines("\n", "x").lines == Lines{""});
  CHECK(split_lines("", "x").lines.empty());
  CHECK(split_lines("a\u2028b\u0085c\n", "x").lines == Lines{"a\u2028b\u0085c"});
  CHECK(split_lines("a\n", "x").note.empty());
}

TEST_CASE("what editors leave is no text, and is noted") {
  const TextLines windows = split_lines("a\r\nb\n\r\nc\r\n", "train.de");
  CHECK(windows.lines == Lines{"a", "b", "", "c"});
  CHECK(windows.note == "train.de: left out carriage returns of Windows line ends.");
  CHECK(split_lines("a\r\nb\r", "x").lines == Lines{"a", "b"});
  CHECK(split_lines("a\r\r\nb\n", "x").lines == Lines{"a", "b"});

  const TextLines marked = split_lines(
      "\xEF\xBB\xBF"
      "a\n\xEF\xBB\xBF"
      "b\n",
      "train.de");
  CHECK(marked.lines == Lines{"a",
                              "\xEF\xBB\xBF"
                              "b"});
  CHECK(marked.note == "train.de: left out a byte order mark.");
  CHECK(split_lines("\xEF\xBB\xBF", "x").lines.empty());
  CHECK(split_lines("\xEF\xBB\xBF"
                    "a\r\n",
                    "x")
            .note == "x: left out a byte order mark and carriage returns of Windows line ends.");
}

TEST_CASE("a carriage return within a line is text, and as the only line end an error") {
  CHECK(split_lines("a\rb\n", "x").lines == Lines{"a\rb"});
  CHECK(split_lines("a\rb\n", "x").note.empty());
  for (const char* text : {"a\rb\r", "a\r"}) {
    CHECK_THROWS_WITH(split_lines(text, "train.de"),
                      "train.de: lines end with U+000D alone, expected U+000A or, as on Windows, U+000D and U+000A.");
  }
}

}  // namespace
}  // namespace moe
