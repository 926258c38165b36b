// How evenly the experts of each MoE layer were used, as heat maps.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/routing/load_tiles.h"
#include "harness/report/charts/style.h"

namespace moe {
namespace {

std::optional<Json> expert_load_specification(const ResultsTable& table, const std::string& title) {
  std::vector<LoadLine> lines;
  for (const TableRow* row : largest_rows(table)) {
    const std::string panel =
        fmt::format("{}, {} experts{}", marked_label(*row), row->experts, row->panel.empty() ? "" : " · " + row->panel);
    for (const LayerRouting& layer : row->runs.front()->routing) {
      lines.push_back({panel, row->panel, layer_name(layer), layer.figures.load});
    }
  }
  return load_tiles(title, "layer", lines);
}

}  // namespace

Chart expert_load_chart() {
  const std::string title = "Load of each expert, by MoE layer";
  return {
      .name = "expert_load",
      .section = Section::why,
      .title = title,
      .caption =
          "The share of the choices on the validation set that an expert served, times the number of experts: 0 is an "
          "unused expert, 2 one with twice its even share. Layers are named by stack and zero-based block. "
          "Where there are several seeds the first is shown: experts of different seeds do not correspond.",
      .specification = [title](const ReportData& data) { return expert_load_specification(data.table, title); }};
}

}  // namespace moe
