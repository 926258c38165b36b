#pragma once
// The columns that a table of configurations begins with: strategy, experts and, where some row has one, setting.

#include "harness/report/tables/text_table.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// What a row is called in those columns.
struct ConfigurationName {
  std::string label;  ///< of the strategy, with its marks
  std::int64_t experts = 1;
  std::string setting;
};

/// A table of these rows, one for each configuration, that has nothing but their names so far.
TextTable configuration_table(const std::vector<ConfigurationName>& rows);

void add_column(TextTable& table, const std::string& name, bool numeric);

}  // namespace moe
