#include "harness/report/tables/configuration_columns.h"

#include <fmt/format.h>

#include <algorithm>

namespace moe {

TextTable configuration_table(const std::vector<ConfigurationName>& rows) {
  const bool settings =
      std::any_of(rows.begin(), rows.end(), [](const ConfigurationName& row) { return !row.setting.empty(); });
  TextTable table;
  add_column(table, "strategy", false);
  add_column(table, "experts", true);
  if (settings) add_column(table, "setting", false);
  for (const ConfigurationName& row : rows) {
    std::vector<std::string>& cells = table.rows.emplace_back();
    cells = {row.label, row.experts > 1 ? fmt::format("{}", row.experts) : nothing};
    if (settings) cells.push_back(row.setting);
  }
  return table;
}

void add_column(TextTable& table, const std::string& name, bool numeric) {
  table.header.push_back(name);
  table.numeric.push_back(numeric);
}

}  // namespace moe
