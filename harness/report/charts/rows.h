#pragma once
// Charts with one row a configuration: names of the rows, bars, and panels.

#include "harness/report/charts/style.h"

#include <string>

namespace moe {

/// "thor †, 4 experts"
std::string row_name(const TableRow& row);

/// The vertical channel over the field `row`, in the order of the data.
Json row_channel(const Json& data);

/// A strategy's colour without a legend, since rows have names; white where the field `undertrained` holds.
Json row_fill(const StrategyStyles& styles);
Json row_stroke(const StrategyStyles& styles);

/// Adds the bar of a row: `value` with its interval over seeds. `figure` says in words what it is: "1,200 tokens/s".
void add_bar(Json& bars, const TableRow& row, const Estimate& value, const std::string& figure);

/// Bars with intervals and numbers, which are written in `format` of d3.
Json bar_view(const Json& bars, const std::string& axis_title, const std::string& format, const StrategyStyles& styles);

/// Puts a view over `data` into a chart: panels below each other where the field `setting` has several values, and
/// beside each other where the field `column` has; empty: no such field.
void put_view(Json& chart, const Json& data, const Json& view, const std::string& column = "");

}  // namespace moe
