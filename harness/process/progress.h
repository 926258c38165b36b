#pragma once
// Shows how a sweep is getting on: a redrawn block on a terminal, plain lines elsewhere.

#include "harness/process/progress_text.h"

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace moe {

enum class Verbosity {
  quiet,  ///< failures only
  normal,
  verbose,  ///< plain lines for every message, on a terminal every validation, which then stay above the block
};

enum class RunEnd { done, failed, interrupted };

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// Where the display writes and what it asks of the world.
struct ProgressOutput {
  std::ostream* text = nullptr;
  std::function<double()> seconds;                        ///< a clock that only goes forward
  std::function<std::optional<TerminalSize>()> terminal;  ///< none: not a terminal
  bool unicode = false;                                   ///< the terminal shows UTF-8
};

/// Standard error, as it is.
ProgressOutput standard_error_output();

/// The display of one sweep. Messages of a run are JSON objects:
///     {"stage": "data" | "training" | "validation" | "test", "update": n, "updates": N, "tokens_per_second": x,
///      "valid_loss": y, "valid_bleu": z}
/// of which any key but the stage may be missing, or {"note": "a line that stays"}.
class ProgressDisplay {
 public:
  /// `runs` of the sweep, `done_before` of which need nothing.
  ProgressDisplay(std::size_t runs, std::size_t done_before, Verbosity verbosity, ProgressOutput output);
  ~ProgressDisplay() { close(); }  // NOLINT(bugprone-exception-escape): out of memory ends the program anyway
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void started(const std::string& id);
  void message(const std::string& id, const Json& message);
  /// `note` is what is worth a glance: "BLEU 31.20", or why it failed.
  void finished(const std::string& id, RunEnd end, const std::string& note);
  /// Lets the clock of the block go on; call it several times a second.
  void tick();
  /// A line of another's that stays above the block.
  void line(const std::string& text);
  /// Takes the block away. Nothing is drawn afterwards.
  void close();

 private:
  double now() const { return output_.seconds() - start_; }
  RunProgress* find(const std::string& id);
  std::string total_line(std::size_t width) const;
  std::optional<double> seconds_left() const;
  void write_line(const std::string& text);
  std::string go_to_block();
  void draw_block();

  std::size_t runs_;
  std::size_t ended_;  ///< runs that need nothing more, those done before among them
  std::size_t failed_ = 0;
  double work_done_ = 0;  ///< runs' worth of updates done here by runs that have ended
  double work_skipped_;   ///< runs' worth that was there before, or that nobody will do
  Verbosity verbosity_;
  ProgressOutput output_;
  double start_;
  double drawn_at_ = -1;
  std::size_t drawn_lines_ = 0;
  std::vector<RunProgress> active_;
};

}  // namespace moe
