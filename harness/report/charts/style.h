#pragma once
// What all charts share: one colour, shape and dash per strategy, fonts, the frame of a specification.

#include "harness/report/tables/results_table.h"
#include "harness/verdicts/verdict.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace moe {

/// Inks of text and lines; the HTML report knows them by value and exchanges them in dark mode.
namespace ink {
inline constexpr const char* strong = "#1f2328";
inline constexpr const char* muted = "#59636e";
inline constexpr const char* line = "#e3e8ed";
}  // namespace ink

/// How each strategy looks, the same in every chart and in the table of one report. Strategies without a choice of
/// experts get neutral colours, the others hues that stay apart for colour-blind readers; shapes and dashes repeat the
/// distinction without colour.
class StrategyStyles {
 public:
  explicit StrategyStyles(const ResultsTable& table);

  /// The colour of a strategy of the table.
  const std::string& colour(const std::string& label) const;
  /// {"domain": strategies, "range": looks} for a `color`, `shape` or `strokeDash` channel.
  Json colour_scale() const { return scale(colours_); }
  Json shape_scale() const { return scale(shapes_); }
  Json dash_scale() const { return scale(dashes_); }
  /// Labels in display order.
  const Json& strategies() const { return strategies_; }

 private:
  Json scale(const Json& range) const { return {{"domain", strategies_}, {"range", range}}; }

  Json strategies_ = Json::array();
  Json colours_ = Json::array();
  Json shapes_ = Json::array();
  Json dashes_ = Json::array();
};

/// The colour of a verdict, safe for colour-blind readers as those of strategies are.
const char* verdict_colour(VerdictKind verdict);

/// Rows with at least one finished or imported run.
std::vector<const TableRow*> finished_rows(const ResultsTable& table);

/// Of each strategy in each setting the finished row with most experts, of those with no more than `at_most`.
std::vector<const TableRow*> largest_rows(const ResultsTable& table,
                                          std::int64_t at_most = std::numeric_limits<std::int64_t>::max());

/// A specification with title, subtitle lines and the common configuration, still without data and marks. Empty
/// subtitle lines are left out.
Json base_specification(const std::string& title, const std::vector<std::string>& subtitle);

/// "Hollow points, †: undertrained." if that occurs among the rows, else nothing.
std::string undertrained_sentence(const std::vector<const TableRow*>& rows);

/// A warning where the runs were not all measured on one machine with one setting: speeds do not compare then.
std::string machine_sentence(const ResultsTable& table);

/// One line a strategy over the channels `x` and `y`.
Json strategy_lines(const StrategyStyles& styles, const Json& x, const Json& y);

/// Points in the shape of their strategy, hollow where the Vega expression `hollow` holds.
Json strategy_points(const StrategyStyles& styles, const Json& x, const Json& y, const std::string& hollow);

/// One panel per test set, direction and setting; what all panels share is not said.
std::string panel_name(const ResultsTable& table, const TestColumn& column, const std::string& setting);

/// "63.3 k", "1.20 P": three digits with a prefix of the metric system, for words.
std::string prefixed(double value);

/// What a mark says of itself, from the field `words` of its datum: in the page's tooltips and to screen readers.
Json spoken();

/// The distinct values of a text field, in the order of the data: the `sort` of facets that keep that order.
Json values_in_order(const Json& data, const std::string& field);

}  // namespace moe
