// How the language pairs divide the experts of each MoE layer, as heat maps.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/routing/load_tiles.h"
#include "harness/report/charts/style.h"

namespace moe {
namespace {

std::optional<Json> language_load_specification(const ResultsTable& table, const std::string& title) {
  std::vector<LoadLine> lines;
  for (const TableRow* row : largest_rows(table)) {
    for (const LayerRouting& layer : row->runs.front()->routing) {
      if (layer.load_by_direction.size() < 2) continue;
      const std::string panel =
          fmt::format("{}, {}{}", marked_label(*row), layer_name(layer), row->panel.empty() ? "" : " · " + row->panel);
      for (const DirectionLoad& direction : layer.load_by_direction) {
        lines.push_back({panel, row->panel, direction.direction, direction.load});
      }
    }
  }
  return load_tiles(title, "direction", lines);
}

}  // namespace

Chart language_load_chart() {
  const std::string title = "Load of each expert, by language pair and MoE layer";
  return {
      .name = "language_load",
      .section = Section::why,
      .title = title,
      .caption =
          "The share of a language pair's choices on the validation set that an expert served, times the number of "
          "experts. Lines that look alike: the experts do not tell these languages apart. Of several seeds the first "
          "is shown.",
      .specification = [title](const ReportData& data) { return language_load_specification(data.table, title); }};
}

}  // namespace moe
