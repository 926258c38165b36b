#include "harness/process/progress_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace moe {

namespace {

constexpr double enough_for_an_estimate = 0.02;
constexpr std::size_t gap = 2;  // columns between columns
constexpr std::size_t shortest_bar = 8;
constexpr std::size_t longest_bar = 30;
constexpr std::size_t shortest_name = 12;

enum Column : std::size_t { stage, updates, left, bleu, rate, column_count };
using Cells = std::array<std::string, column_count>;

Cells cells_of(const RunProgress& run, double now) {
  Cells cells;
  cells[stage] = run.stage.empty() ? "starting" : run.stage;
  if (run.updates > 0) cells[updates] = fmt::format("{}/{}", run.update, run.updates);
  if (const auto seconds = run.seconds_left(now)) cells[left] = format_duration(*seconds) + " left";
  if (run.valid_bleu) cells[bleu] = fmt::format("BLEU {:.2f}", *run.valid_bleu);
  cells[rate] = format_rate(run.tokens_per_second);
  return cells;
}

std::string draw_bar(double fraction, std::size_t width, bool unicode) {
  const auto full = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(width)));
  std::string bar;
  for (std::size_t column = 0; column < width; ++column) {
    bar += unicode ? (column < full ? "\u2501" : "\u2500") : (column < full ? "#" : ".");
  }
  return unicode ? bar : "[" + bar + "]";
}

/// Widths of everything in a line, chosen for all lines together.
struct Layout {
  std::size_t name = 0;
  std::size_t bar = 0;  ///< 0: there is no room for it
  std::array<std::size_t, column_count> columns{};

  std::size_t total() const {
    std::size_t sum = name;
    for (const std::size_t width : columns) sum += width > 0 ? gap + width : 0;
    return sum;
  }
};

Layout choose_layout(const std::vector<Cells>& lines, std::size_t longest_name, std::size_t width, bool unicode) {
  const std::size_t bar_frame = gap + (unicode ? 0 : 2);
  Layout layout;
  layout.name = std::clamp(longest_name, std::size_t{0}, std::max(shortest_name, width / 3));
  for (const Cells& cells : lines) {
    for (std::size_t column = 0; column < column_count; ++column) {
      layout.columns[column] = std::max(layout.columns[column], cells[column].size());
    }
  }
  for (std::size_t column = column_count - 1; column > updates; --column) {
    if (layout.total() + bar_frame + shortest_bar > width) layout.columns[column] = 0;
  }
  if (layout.total() + bar_frame + shortest_bar <= width) {
    const std::size_t room = width - layout.total();
    layout.bar = std::min(room - bar_frame, longest_bar);
    layout.name = std::min(longest_name, layout.name + room - bar_frame - layout.bar);
    return layout;
  }
  for (const Column column : {updates, stage}) {
    if (layout.total() > width) layout.columns[column] = 0;
  }
  layout.name = std::min(layout.name, width);
  return layout;
}

}  // namespace

bool RunProgress::take(const Json& message, double now) {
  stage = message.value("stage", stage);
  update = message.value("update", update);
  updates = message.value("updates", updates);
  tokens_per_second = message.value("tokens_per_second", tokens_per_second);
  if (updates > 0 && !first_fraction) {
    first_fraction = fraction();
    first_fraction_at = now;
  }
  const auto read = [&](const char* key, std::optional<double>& value) {
    const auto found = message.find(key);
    if (found == message.end() || !found->is_number()) return false;
    const double previous = value.value_or(NAN);
    value = found->get<double>();
    return *value != previous;
  };
  const bool new_loss = read("valid_loss", valid_loss);
  const bool new_bleu = read("valid_bleu", valid_bleu);
  return new_loss || new_bleu;
}

double RunProgress::fraction() const {
  if (stage == "test") return 1;
  return updates > 0 ? std::clamp(static_cast<double>(update) / static_cast<double>(updates), 0.0, 1.0) : 0;
}

std::optional<double> RunProgress::seconds_left(double now) const {
  if (stage == "test" || fraction_here() < enough_for_an_estimate) return std::nullopt;
  return (1 - fraction()) * (now - first_fraction_at) / fraction_here();
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  const std::int64_t hours = whole / 3600;
  const std::int64_t minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string format_rate(double tokens_per_second) {
  if (tokens_per_second <= 0) return "";
  if (tokens_per_second < 999.5) return fmt::format("{:.0f} tok/s", tokens_per_second);
  if (tokens_per_second < 999'950) return fmt::format("{:.1f}k tok/s", tokens_per_second / 1e3);
  return fmt::format("{:.1f}M tok/s", tokens_per_second / 1e6);
}

std::string shorten(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  if (width <= 2) return text.substr(text.size() - width);
  const std::size_t tail = (width - 2) / 2;
  return text.substr(0, width - 2 - tail) + ".." + text.substr(text.size() - tail);
}

std::string describe(const RunProgress& run, double now) {
  std::string text = run.updates > 0 ? fmt::format("update {}/{}", run.update, run.updates) : run.stage;
  if (run.valid_loss) text += fmt::format(", valid loss {:.3f}", *run.valid_loss);
  if (run.valid_bleu) text += fmt::format(", BLEU {:.2f}", *run.valid_bleu);
  if (run.tokens_per_second > 0) text += ", " + format_rate(run.tokens_per_second);
  if (const auto seconds = run.seconds_left(now)) text += fmt::format(", {} left", format_duration(*seconds));
  return text;
}

std::vector<std::string> draw_runs(const std::vector<const RunProgress*>& runs, double now, std::size_t width,
                                   bool unicode) {
  std::vector<Cells> cells;
  std::size_t longest_name = 0;
  for (const RunProgress* run : runs) {
    cells.push_back(cells_of(*run, now));
    longest_name = std::max(longest_name, run->id.size());
  }
  const Layout layout = choose_layout(cells, longest_name, width, unicode);

  std::vector<std::string> lines;
  for (std::size_t row = 0; row < runs.size(); ++row) {
    std::string line = fmt::format("{:<{}}", shorten(runs[row]->id, layout.name), layout.name);
    for (std::size_t column = 0; column < column_count; ++column) {
      const std::size_t column_width = layout.columns[column];
      if (column_width > 0) {
        line += std::string(gap, ' ');
        line += column == stage ? fmt::format("{:<{}}", cells[row][column], column_width)
                                : fmt::format("{:>{}}", cells[row][column], column_width);
      }
      if (column == stage && layout.bar > 0) {
        line += std::string(gap, ' ') + draw_bar(runs[row]->fraction(), layout.bar, unicode);
      }
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace moe
