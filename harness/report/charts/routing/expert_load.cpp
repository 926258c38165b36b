// How evenly the experts of each MoE layer were used, as heat maps.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/routing/load_tiles.h"
#include "harness/report/charts/style.h"

namespace moe {
namespace {

/// Cells of one row of the table: its first seed, since expert 3 of one seed and of the next have nothing in common.
void add_cells(const TableRow& row, Json& cells) {
  const std::string panel =
      fmt::format("{}, {} experts{}", marked_label(row), row.experts, row.panel.empty() ? "" : " · " + row.panel);
  for (const LayerRouting& layer : row.runs.front()->routing) {
    const std::vector<double>& load = layer.figures.load;
    if (load.size() < 2) continue;
    for (std::size_t expert = 0; expert < load.size(); ++expert) {
      cells.push_back({{"panel", panel},
                       {"layer", layer_name(layer)},
                       {"setting", row.panel},
                       {"expert", expert},
                       {"load", load[expert] * static_cast<double>(load.size())},
                       {"words", fmt::format("{}, {}: expert {} has {:.2f} of an even share", panel, layer_name(layer),
                                             expert, load[expert] * static_cast<double>(load.size()))}});
    }
  }
}

std::optional<Json> expert_load_specification(const ResultsTable& table, const std::string& title) {
  Json cells = Json::array();
  for (const TableRow* row : largest_rows(table)) add_cells(*row, cells);
  if (cells.empty()) return std::nullopt;
  Json chart = base_specification(title, {"Each strategy with its largest number of experts; 1 is an even share."});
  put_load_tiles(chart, cells, "layer");
  return chart;
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
