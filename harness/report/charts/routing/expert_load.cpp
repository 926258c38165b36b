// How evenly the experts of each MoE layer were used, as heat maps.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/style.h"

#include <algorithm>

namespace moe {
namespace {

constexpr double strongest = 2;               ///< loads from here on have the darkest colour
constexpr std::size_t most_with_numbers = 8;  ///< wider heat maps have no room for a number in each cell

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

std::size_t most_experts(const Json& cells) {
  std::size_t most = 0;
  for (const Json& cell : cells) most = std::max(most, cell["expert"].get<std::size_t>() + 1);
  return most;
}

Json make_layers(std::size_t experts) {
  const Json x = {{"field", "expert"},
                  {"type", "ordinal"},
                  {"title", "expert"},
                  {"axis", {{"labelAngle", 0}, {"ticks", false}, {"domain", false}, {"labelOverlap", true}}}};
  const Json y = {{"field", "layer"},
                  {"type", "ordinal"},
                  {"title", nullptr},
                  {"sort", nullptr},
                  {"axis", {{"ticks", false}, {"domain", false}}}};
  const Json legend = {
      {"title", "load / even load"},
      {"values", {0, 0.5, 1, 1.5, strongest}},
      {"labelExpr", fmt::format("datum.value == {0} ? '{0} or more' : format(datum.value, '.1f')", strongest)},
      {"gradientLength", 160}};
  const Json colour = {{"field", "load"},
                       {"type", "quantitative"},
                       {"scale",
                        {{"domain", {0, 1, strongest}},
                         {"range", {"#2166ac", "#f3f1ec", "#b35806"}},
                         {"interpolate", "lab"},
                         {"clamp", true}}},
                       {"legend", legend}};
  const Json tiles = {{"mark", {{"type", "rect"}, {"stroke", "white"}, {"strokeWidth", 1}}},
                      {"encoding", {{"x", x}, {"y", y}, {"color", colour}, {"description", spoken()}}}};
  if (experts > most_with_numbers) return Json::array({tiles});
  const Json dark = {{"test", "datum.load < 0.4 || datum.load > 1.6"}, {"value", "white"}};
  const Json numbers = {{"mark", {{"type", "text"}, {"fontSize", 10}, {"aria", false}}},
                        {"encoding",
                         {{"x", x},
                          {"y", y},
                          {"text", {{"field", "load"}, {"type", "quantitative"}, {"format", ".1f"}}},
                          {"color", {{"condition", dark}, {"value", "#33383d"}}}}}};
  return Json::array({tiles, numbers});
}

std::optional<Json> expert_load_specification(const ResultsTable& table, const std::string& title) {
  Json cells = Json::array();
  for (const TableRow* row : largest_rows(table)) add_cells(*row, cells);
  if (cells.empty()) return std::nullopt;
  const std::size_t experts = most_experts(cells);
  Json chart = base_specification(title, {"Each strategy with its largest number of experts; 1 is an even share."});
  chart["data"] = {{"values", cells}};
  chart["facet"] = {{"field", "panel"},
                    {"type", "nominal"},
                    {"title", nullptr},
                    {"sort", values_in_order(cells, "panel")},
                    {"header", {{"labelAnchor", "start"}}}};
  const std::size_t settings = values_in_order(cells, "setting").size();  // 2 or 3 of them stand side by side
  chart["columns"] = experts > most_with_numbers || settings == 2 ? 2 : 3;
  chart["spec"] = {
      {"width", {{"step", experts <= most_with_numbers ? 27 : std::max(5, 320 / static_cast<int>(experts))}}},
      {"height", {{"step", 22}}},
      {"view", {{"stroke", nullptr}}},
      {"layer", make_layers(experts)}};
  chart["resolve"] = {{"scale", {{"x", "independent"}, {"y", "independent"}}}};
  return chart;
}

}  // namespace

Chart expert_load_chart() {
  const std::string title = "Load of each expert, by MoE layer";
  return {.name = "expert_load",
          .section = Section::why,
          .title = title,
          .caption =
              "The share of the validation tokens that an expert served, times the number of experts: 0 is an "
              "unused expert, 2 one with twice its even share. Layers are named by stack and zero-based block. "
              "Where there are several seeds the first is shown: experts of different seeds do not correspond.",
          .specification = [title](const ReportData& data) { return expert_load_specification(data.table, title); }};
}

}  // namespace moe
