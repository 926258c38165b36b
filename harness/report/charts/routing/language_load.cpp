// How the language pairs divide the experts of each MoE layer, as heat maps.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/routing/load_tiles.h"
#include "harness/report/charts/style.h"

namespace moe {
namespace {

/// Cells of one row of the table, of its first seed: expert 3 of one seed and of the next have nothing in common.
void add_language_cells(const TableRow& row, Json& cells) {
  for (const LayerRouting& layer : row.runs.front()->routing) {
    if (layer.figures.load.size() < 2 || layer.load_by_direction.size() < 2) continue;
    const std::string panel =
        fmt::format("{}, {}{}", marked_label(row), layer_name(layer), row.panel.empty() ? "" : " · " + row.panel);
    for (const DirectionLoad& direction : layer.load_by_direction) {
      for (std::size_t expert = 0; expert < direction.load.size(); ++expert) {
        const double load = direction.load[expert] * static_cast<double>(direction.load.size());
        cells.push_back({{"panel", panel},
                         {"setting", row.panel},
                         {"direction", direction.direction},
                         {"expert", expert},
                         {"load", load},
                         {"words", fmt::format("{}: {} gives expert {} {:.2f} of an even share", panel,
                                               direction.direction, expert, load)}});
      }
    }
  }
}

std::optional<Json> language_load_specification(const ResultsTable& table, const std::string& title) {
  Json cells = Json::array();
  for (const TableRow* row : largest_rows(table)) add_language_cells(*row, cells);
  if (cells.empty()) return std::nullopt;
  Json chart = base_specification(title, {"Each strategy with its largest number of experts; 1 is an even share."});
  put_load_tiles(chart, cells, "direction");
  return chart;
}

}  // namespace

Chart language_load_chart() {
  const std::string title = "Load of each expert, by language pair and MoE layer";
  return {.name = "language_load",
          .section = Section::why,
          .title = title,
          .caption =
              "The share of a language pair's choices on the validation set that an expert served, times the number of "
              "experts. "
              "Lines that look alike: the experts do not tell these languages apart. Of several seeds the first is "
              "shown.",
          .specification = [title](const ReportData& data) { return language_load_specification(data.table, title); }};
}

}  // namespace moe
