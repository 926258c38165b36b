#include "harness/report/charts/routing/layer_map.h"

#include "core/error.h"
#include "harness/report/charts/rows.h"

#include <algorithm>
#include <map>
#include <utility>

namespace moe {
namespace {

constexpr std::size_t most_layers_with_numbers = 12;

void add_layer_cells(const TableRow& row, const LayerFigure& figure, Json& cells) {
  std::vector<std::pair<std::string, std::vector<double>>> layers;  // in their order, over the seeds
  for (const RunResult* run : row.runs) {
    for (const LayerRouting& layer : run->routing) {
      const std::optional<double> value = figure.figure(layer);
      if (!value) continue;
      const std::string name = layer_name(layer);
      auto known = std::find_if(layers.begin(), layers.end(), [&](const auto& other) { return other.first == name; });
      if (known == layers.end()) known = layers.insert(layers.end(), {name, {}});
      known->second.push_back(*value);
    }
  }
  for (const auto& [name, values] : layers) {
    cells.push_back({{"row", row_name(row)},
                     {"setting", row.panel},
                     {"layer", name},
                     {"value", mean(values)},
                     {"words", fmt::format("{}, {}: {} {:.3f}", row_name(row), name, figure.words, mean(values))}});
  }
}

Json layer_map_view(const Json& cells, const std::string& words) {
  const std::size_t layers = values_in_order(cells, "layer").size();
  const bool numbered = layers <= most_layers_with_numbers;
  const Json x = {{"field", "layer"},
                  {"type", "ordinal"},
                  {"title", nullptr},
                  {"sort", values_in_order(cells, "layer")},
                  {"axis", {{"labelAngle", numbered ? 0 : -90}, {"ticks", false}, {"domain", false}}}};
  const Json y = row_channel(cells);
  const Json colour = {
      {"field", "value"},
      {"type", "quantitative"},
      {"scale", {{"domain", {0, 1}}, {"range", {"#f3f1ec", "#2166ac"}}, {"interpolate", "lab"}, {"clamp", true}}},
      {"legend", {{"title", words}, {"gradientLength", 120}, {"tickCount", 3}}}};
  const Json tiles = {{"mark", {{"type", "rect"}, {"stroke", "white"}, {"strokeWidth", 1}}},
                      {"encoding", {{"x", x}, {"y", y}, {"color", colour}, {"description", spoken()}}}};
  Json layer = Json::array({tiles});
  if (numbered) {
    const Json dark = {{"test", "datum.value > 0.55"}, {"value", "white"}};
    layer.push_back({{"mark", {{"type", "text"}, {"fontSize", 10}, {"aria", false}}},
                     {"encoding",
                      {{"x", x},
                       {"y", y},
                       {"text", {{"field", "value"}, {"type", "quantitative"}, {"format", ".2f"}}},
                       {"color", {{"condition", dark}, {"value", "#33383d"}}}}}});
  }
  return {{"width", {{"step", numbered ? 64 : 16}}},
          {"height", {{"step", 21}}},
          {"view", {{"stroke", nullptr}}},
          {"layer", layer}};
}

std::optional<Json> layer_map_specification(const ResultsTable& table, const LayerFigure& figure) {
  const std::vector<const TableRow*> rows = largest_rows(table);
  Json cells = Json::array();
  for (const TableRow* row : rows) add_layer_cells(*row, figure, cells);
  if (cells.empty()) return std::nullopt;
  const bool unsettled = std::any_of(rows.begin(), rows.end(), [](const auto* row) { return row->undertrained; });
  Json chart = base_specification(figure.title, {figure.how, "Each strategy with its largest number of experts.",
                                                 unsettled ? "†: undertrained." : ""});
  put_view(chart, cells, layer_map_view(cells, figure.words));
  return chart;
}

}  // namespace

std::string layer_name(const LayerRouting& layer) {
  return fmt::format("{} {}{}", layer.stack, layer.block, layer.extra ? " (extra)" : "");
}

Chart layer_map_chart(const LayerFigure& figure) {
  return {.name = figure.name,
          .section = Section::why,
          .title = figure.title,
          .caption = figure.caption + " Layers are named by stack and zero-based block; means over the seeds.",
          .specification = [figure](const ReportData& data) { return layer_map_specification(data.table, figure); }};
}

}  // namespace moe
