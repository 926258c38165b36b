#pragma once
// The words and bars of the progress display, as pure functions.

#include "core/json.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// What is known of a run that is under way. Times are seconds of the display's clock.
struct RunProgress {
  std::string id;
  std::string stage;  ///< data, training, validation or test; empty before the first message
  std::int64_t update = 0;
  std::int64_t updates = 0;  ///< 0: not said yet
  double tokens_per_second = 0;
  std::optional<double> valid_bleu;
  std::optional<double> valid_loss;
  std::optional<double> first_fraction;  ///< where it stood at its first update here: more than 0 when it goes on
  double first_fraction_at = 0;
  double last_line_at = 0;  ///< when a plain line was last written about it

  /// Takes over what the message says; true when it brings a new validation.
  bool take(const Json& message, double now);

  /// Share of the updates done, 0 .. 1.
  double fraction() const;
  /// Share done since the run was started here.
  double fraction_here() const { return first_fraction ? fraction() - *first_fraction : 0; }
  /// At the pace since the first update, validations included; none before 2 % are done here, and after training.
  std::optional<double> seconds_left(double now) const;
};

/// "0:07", "12:30", "26:02:03".
std::string format_duration(double seconds);

/// "831 tok/s", "5.2k tok/s", "1.3M tok/s"; empty for 0.
std::string format_rate(double tokens_per_second);

/// `text` in at most `width` columns, the middle left out as "..": the end of a run's name tells it from its siblings.
/// For ASCII.
std::string shorten(const std::string& text, std::size_t width);

/// What a plain line says of a run: "update 500/4000, valid loss 3.214, BLEU 12.31, 5.2k tok/s, 10:20 left".
std::string describe(const RunProgress& run, double now);

/// One line per run with aligned columns: name, stage, bar, updates, time left, BLEU, rate. Columns fall away from the
/// right, then the bar, then the end of the name, until every line has at most `width` columns. `unicode` bars are
/// UTF-8, three bytes a column; all else is ASCII.
std::vector<std::string> draw_runs(const std::vector<const RunProgress*>& runs, double now, std::size_t width,
                                   bool unicode);

}  // namespace moe
