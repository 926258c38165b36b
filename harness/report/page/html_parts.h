#pragma once
// Pieces of the page: tables, charts, facts.

#include "harness/report/charts/chart.h"
#include "harness/report/tables/text_table.h"

#include <string>
#include <vector>

namespace moe {

/// A chart as the page shows it.
struct DrawnChart {
  std::string name;
  Section section = Section::results;
  std::string title;
  std::string caption;
  std::string svg;  ///< empty: not drawn
};

/// A table in a card that scrolls by itself, by keyboard too. `name` says to a screen reader what it holds; `before`
/// is HTML that stands before the first cell of each row, empty for none.
std::string html_table(const TextTable& table, const std::string& name, const std::vector<std::string>& before = {});

/// Sentences below a table.
std::string html_notes(const std::vector<std::string>& notes);

/// The chart, inline, with its caption and files.
std::string html_figure(const DrawnChart& chart);

/// A term and what is said of it, in a <dl>; nothing where the text is empty.
std::string html_fact(const std::string& name, const std::string& text);

/// A part that the reader opens.
std::string html_details(const std::string& summary, const std::string& body);

}  // namespace moe
