#include "harness/process/progress.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <sstream>

namespace {

using moe::format_duration;
using moe::format_rate;
using moe::Json;
using moe::ProgressDisplay;
using moe::RunEnd;
using moe::RunProgress;
using moe::Verbosity;

/// A display whose clock and terminal the test sets.
struct Screen {
  std::ostringstream text;
  double seconds = 100;
  std::optional<moe::TerminalSize> size;

  moe::ProgressOutput output() {
    return {&text, [this] { return seconds; }, [this] { return size; }, false};
  }
  std::string take() {
    std::string written = text.str();
    text.str("");
    return written;
  }
};

Json training(int update, double rate = 5200) {
  return {{"stage", "training"}, {"update", update}, {"updates", 4000}, {"tokens_per_second", rate}};
}

RunProgress run_at(const std::string& id, const Json& message) {
  RunProgress run;
  run.id = id;
  run.take(message, 0);
  return run;
}

TEST_CASE("durations and rates") {
  CHECK(format_duration(0) == "0:00");
  CHECK(format_duration(-3) == "0:00");
  CHECK(format_duration(7.4) == "0:07");
  CHECK(format_duration(59.6) == "1:00");
  CHECK(format_duration(750) == "12:30");
  CHECK(format_duration(3600) == "1:00:00");
  CHECK(format_duration(26 * 3600 + 123) == "26:02:03");
  CHECK(format_rate(0).empty());
  CHECK(format_rate(831) == "831 tok/s");
  CHECK(format_rate(999.6) == "1.0k tok/s");
  CHECK(format_rate(5243) == "5.2k tok/s");
  CHECK(format_rate(1.26e6) == "1.3M tok/s");
}

TEST_CASE("a long name keeps both ends") {
  CHECK(moe::shorten("switch", 6) == "switch");
  CHECK(moe::shorten("switch-e4-s1-1a2b", 11) == "switc..1a2b");
  CHECK(moe::shorten("switch", 2) == "ch");
}

TEST_CASE("time left follows the pace since the run was started here") {
  RunProgress run = run_at("a", training(1000));  // goes on from a checkpoint
  CHECK_FALSE(run.seconds_left(10));
  run.take(training(1600), 60);  // 15 % in a minute, 60 % to go
  REQUIRE(run.seconds_left(60));
  CHECK(*run.seconds_left(60) == Approx(240));
  run.take({{"stage", "test"}}, 70);
  CHECK_FALSE(run.seconds_left(70));
}

TEST_CASE("off a terminal, lines tell starts, ends, validations, and little else") {
  Screen screen;
  ProgressDisplay display(3, 1, Verbosity::normal, screen.output());
  display.started("switch");
  CHECK(screen.take() == "[0:00] started switch\n");
  screen.seconds += 10;
  display.message("switch", training(100));
  CHECK(screen.take().empty());
  screen.seconds += 20;  // 30 s since the line before
  display.message("switch", training(400));
  CHECK(screen.take() == "[0:30] switch: update 400/4000, 5.2k tok/s, 4:00 left\n");
  screen.seconds += 10;
  Json validation = training(600);
  validation["valid_loss"] = 3.2141;
  validation["valid_bleu"] = 12.3;
  display.message("switch", validation);
  CHECK(screen.take() == "[0:40] switch: update 600/4000, valid loss 3.214, BLEU 12.30, 5.2k tok/s, 3:24 left\n");
  display.message("switch", validation);  // nothing new in it
  CHECK(screen.take().empty());
  screen.seconds += 260;
  display.finished("switch", RunEnd::done, "BLEU 31.20");
  CHECK(screen.take() == "[5:00] done switch (2 of 3 runs, about 5:08 left): BLEU 31.20\n");
  display.started("thor");
  display.finished("thor", RunEnd::failed, "update 7: the loss is NaN.");
  CHECK(screen.take() ==
        "[5:00] started thor\n[5:00] FAILED thor (3 of 3 runs, 1 failed): update 7: the loss is NaN.\n");
}

TEST_CASE("a note is told at once, and stays") {
  Screen screen;
  ProgressDisplay display(1, 0, Verbosity::normal, screen.output());
  display.started("switch");
  screen.take();
  display.message("switch", {{"note", "encoder block 1: the gate got no gradient at update 1"}});
  CHECK(screen.take() == "[0:00] switch: encoder block 1: the gate got no gradient at update 1\n");
}

TEST_CASE("quiet tells failures only, verbose every message") {
  Screen screen;
  ProgressDisplay quiet(2, 0, Verbosity::quiet, screen.output());
  quiet.started("a");
  quiet.message("a", training(100));
  quiet.finished("a", RunEnd::done, "");
  quiet.started("b");
  CHECK(screen.take().empty());
  quiet.finished("b", RunEnd::failed, "no disk.");
  CHECK(screen.take().find("no disk.") != std::string::npos);

  ProgressDisplay verbose(1, 0, Verbosity::verbose, screen.output());
  verbose.started("a");
  screen.take();
  verbose.message("a", training(1));
  verbose.message("a", training(2));
  const std::string lines = screen.take();
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
}

TEST_CASE("no line of the block is wider than the terminal") {
  RunProgress with_all = run_at("gshard-paper-e8-de-en-s2-deadbeef", training(3000));
  with_all.take({{"valid_bleu", 12.34}}, 1);
  const RunProgress fresh = run_at("thor-e4-s1-00112233", {{"stage", "data"}});
  for (std::size_t width = 1; width <= 160; ++width) {
    for (const std::string& line : moe::draw_runs({&with_all, &fresh}, 60, width, false)) {
      INFO("width " << width << ": " << line);
      CHECK(line.size() <= width);
    }
  }
  const auto lines = moe::draw_runs({&with_all, &fresh}, 60, 120, false);
  CHECK(lines.at(0) ==
        "gshard-paper-e8-de-en-s2-deadbeef  training  [######################........]  3000/4000  BLEU 12.34  5.2k "
        "tok/s");
  CHECK(lines.at(1).substr(0, 65) == "thor-e4-s1-00112233                data      [...................");
}

TEST_CASE("the block is redrawn in place and leaves lines of ended runs above it") {
  Screen screen;
  screen.size = {60, 6};
  ProgressDisplay display(9, 0, Verbosity::normal, screen.output());
  for (const char* id : {"a", "b", "c", "d"}) display.started(id);
  screen.take();
  screen.seconds += 1;
  display.tick();
  std::string text = screen.take();
  CHECK(text.rfind("\r\x1b[", 0) == 0);  // goes up over what it drew before
  CHECK(text.find("and 1 more\x1b[K\n") != std::string::npos);
  CHECK(text.find("0 of 9 runs, 0:01 elapsed\x1b[K\n\x1b[J") != std::string::npos);
  display.tick();  // too soon
  CHECK(screen.take().empty());
  display.finished("a", RunEnd::done, "BLEU 31.20");
  text = screen.take();
  CHECK(text.rfind("\r\x1b[5Adone a: BLEU 31.20\x1b[K\n", 0) == 0);
  display.close();
  CHECK(screen.take() == "\r\x1b[4A\x1b[J");
  display.close();
  CHECK(screen.take().empty());
}

}  // namespace
