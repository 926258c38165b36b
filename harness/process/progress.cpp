#include "harness/process/progress.h"

#include "core/text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

namespace moe {

namespace {

constexpr double seconds_between_drawings = 0.1;
constexpr double seconds_between_lines = 30;  // of one run, off a terminal
constexpr double seconds_before_estimate = 3;
constexpr const char* clear_line = "\x1b[K";   // from the cursor to its end
constexpr const char* clear_below = "\x1b[J";  // from the cursor to the end of the screen

std::optional<TerminalSize> standard_error_size() {
  winsize size{};
  if (isatty(STDERR_FILENO) == 0 || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return std::nullopt;
  if (size.ws_col == 0 || size.ws_row == 0) return TerminalSize{};
  return TerminalSize{size.ws_col, size.ws_row};
}

/// What the locale's environment says, in its order of precedence.
bool locale_is_utf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale = value;
    return locale.find("UTF-8") != std::string_view::npos || locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

}  // namespace

ProgressOutput standard_error_output() {
  const auto seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
  const auto terminal = [dumb] { return dumb ? std::nullopt : standard_error_size(); };
  return {&std::cerr, seconds, terminal, locale_is_utf8()};
}

ProgressDisplay::ProgressDisplay(std::size_t runs, std::size_t done_before, Verbosity verbosity, ProgressOutput output)
    : runs_(runs),
      ended_(done_before),
      work_skipped_(static_cast<double>(done_before)),
      verbosity_(verbosity),
      output_(std::move(output)),
      start_(output_.seconds()) {}

void ProgressDisplay::started(const std::string& id) {
  RunProgress run;
  run.id = id;
  run.last_line_at = now();
  active_.push_back(run);
  if (!output_.terminal()) write_line("started " + id);
  tick();
}

void ProgressDisplay::message(const std::string& id, const Json& message) {
  RunProgress* run = find(id);
  if (run == nullptr) return;
  if (message.contains("note")) {
    write_line(fmt::format("{}: {}", id, message["note"].get<std::string>()));
    return;
  }
  const bool validated = run->take(message, now());
  const bool terminal = output_.terminal().has_value();
  const bool due = validated || verbosity_ == Verbosity::verbose || now() - run->last_line_at >= seconds_between_lines;
  if (terminal ? validated && verbosity_ == Verbosity::verbose : due) {
    write_line(fmt::format("{}: {}", id, describe(*run, now())));
    run->last_line_at = now();
  }
  tick();
}

void ProgressDisplay::finished(const std::string& id, RunEnd end, const std::string& note) {
  const RunProgress* run = find(id);
  if (run == nullptr) return;
  const double here = run->fraction_here();
  const double share = end == RunEnd::done ? 1 - run->first_fraction.value_or(0) : here;
  work_done_ += share;
  work_skipped_ += 1 - share;
  active_.erase(active_.begin() + (run - active_.data()));
  if (end != RunEnd::interrupted) ++ended_;
  if (end == RunEnd::failed) ++failed_;

  static constexpr const char* words[] = {"done", "FAILED", "stopped"};
  const std::string total =
      output_.terminal() ? "" : fmt::format(" ({})", total_line(std::string::npos));  // the block says it there
  const std::string text =
      fmt::format("{} {}{}{}{}", words[static_cast<int>(end)], id, total, note.empty() ? "" : ": ", note);
  if (end == RunEnd::failed && verbosity_ == Verbosity::quiet) {
    *output_.text << text << '\n' << std::flush;
  } else {
    write_line(text);
  }
  tick();
}

void ProgressDisplay::tick() {
  if (verbosity_ == Verbosity::quiet || now() - drawn_at_ < seconds_between_drawings) return;
  draw_block();
}

void ProgressDisplay::line(const std::string& text) {
  write_line(text);
}

void ProgressDisplay::close() {
  if (drawn_lines_ > 0) *output_.text << go_to_block() + clear_below << std::flush;
  active_.clear();
}

RunProgress* ProgressDisplay::find(const std::string& id) {
  const auto found = std::find_if(active_.begin(), active_.end(), [&](const auto& run) { return run.id == id; });
  return found == active_.end() ? nullptr : &*found;
}

/// Runs differ in cost; this takes each for an average one, which is why it says "about".
std::optional<double> ProgressDisplay::seconds_left() const {
  double done = work_done_;
  double left = static_cast<double>(runs_) - work_done_ - work_skipped_;
  for (const RunProgress& run : active_) {
    done += run.fraction_here();
    left -= run.fraction();
  }
  if (done <= 0 || now() < seconds_before_estimate) return std::nullopt;
  return std::max(0.0, left) * now() / done;
}

std::string ProgressDisplay::total_line(std::size_t width) const {
  std::vector<std::string> parts = {fmt::format("{} of {} runs", ended_, runs_)};
  if (failed_ > 0) parts.push_back(fmt::format("{} failed", failed_));
  if (output_.terminal()) parts.push_back(format_duration(now()) + " elapsed");
  const auto left = seconds_left();
  if (left && ended_ < runs_) parts.push_back(fmt::format("about {} left", format_duration(*left)));
  while (parts.size() > 1 && join(parts, ", ").size() > width) parts.pop_back();
  return join(parts, ", ").substr(0, width);
}

/// Stays on the screen; off a terminal it begins with the time since the start.
void ProgressDisplay::write_line(const std::string& text) {
  if (verbosity_ == Verbosity::quiet) return;
  if (!output_.terminal()) {
    *output_.text << fmt::format("[{}] {}\n", format_duration(now()), text) << std::flush;
    return;
  }
  *output_.text << go_to_block() << text << clear_line << '\n';
  draw_block();
}

/// Back to the first line of the block, which the next one is drawn over: clearing it first would flicker.
std::string ProgressDisplay::go_to_block() {
  const std::size_t lines = std::exchange(drawn_lines_, 0);
  return lines == 0 ? "" : fmt::format("\r\x1b[{}A", lines);
}

void ProgressDisplay::draw_block() {
  const auto size = output_.terminal();
  if (!size) return;
  const std::size_t width = size->columns - 1;  // the last column stays free, where some terminals wrap already
  const std::size_t room = std::max<std::size_t>(size->rows, 4) - 3;
  std::vector<const RunProgress*> shown;
  for (const RunProgress& run : active_) {
    if (shown.size() < room) shown.push_back(&run);
  }
  std::vector<std::string> lines = draw_runs(shown, now(), width, output_.unicode);
  if (shown.size() < active_.size()) lines.push_back(fmt::format("and {} more", active_.size() - shown.size()));
  lines.push_back(total_line(width));

  std::string text = go_to_block();
  for (const std::string& line : lines) text += line + clear_line + "\n";
  *output_.text << text + clear_below << std::flush;
  drawn_lines_ = lines.size();
  drawn_at_ = now();
}

}  // namespace moe
