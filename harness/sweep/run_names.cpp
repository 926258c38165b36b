#include "harness/sweep/run_names.h"

#include "core/text.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/setting_names.h"

#include <fmt/format.h>

namespace moe {

std::vector<std::string> run_names(const std::vector<RunSpec>& runs) {
  std::vector<FlatSettings> settings;
  for (const RunSpec& spec : runs) {
    settings.push_back(Json::object());
    for (const PathValue& leaf : leaves(write_run_spec(spec))) settings.back()[leaf.path] = leaf.value;
  }
  const std::vector<std::string> differences = setting_names(settings, varying_keys(settings));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const StrategySpec& strategy = runs[i].strategy;
    std::vector<std::string> parts = {strategy.label()};
    if (strategy.options.contains("experts")) parts.push_back(fmt::format("{} experts", strategy.experts()));
    if (!differences[i].empty()) parts.push_back(differences[i]);
    parts.push_back(fmt::format("seed {}", runs[i].training.seed));
    names.push_back(join(parts, ", "));
  }
  return names;
}

}  // namespace moe
