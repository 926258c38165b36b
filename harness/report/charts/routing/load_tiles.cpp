#include "harness/report/charts/routing/load_tiles.h"

#include "core/error.h"
#include "harness/report/charts/style.h"

#include <algorithm>

namespace moe {
namespace {

constexpr double strongest = 2;               ///< loads from here on have the darkest colour
constexpr std::size_t most_with_numbers = 8;  ///< wider heat maps have no room for a number in each cell

Json cells_of(const std::string& field, const std::vector<LoadLine>& lines) {
  Json cells = Json::array();
  for (const auto& [panel, setting, name, load] : lines) {
    if (load.size() < 2) continue;
    for (std::size_t expert = 0; expert < load.size(); ++expert) {
      const double share = load[expert] * static_cast<double>(load.size());
      cells.push_back(
          {{"panel", panel},
           {field, name},
           {"setting", setting},
           {"expert", expert},
           {"load", share},
           {"words", fmt::format("{}, {}: expert {} has {:.2f} of an even share", panel, name, expert, share)}});
    }
  }
  return cells;
}

std::size_t most_experts(const Json& cells) {
  std::size_t most = 0;
  for (const Json& cell : cells) most = std::max(most, cell["expert"].get<std::size_t>() + 1);
  return most;
}

Json make_layers(std::size_t experts, const std::string& field) {
  const Json x = {{"field", "expert"},
                  {"type", "ordinal"},
                  {"title", "expert"},
                  {"axis", {{"labelAngle", 0}, {"ticks", false}, {"domain", false}, {"labelOverlap", true}}}};
  const Json y = {{"field", field},
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

}  // namespace

std::optional<Json> load_tiles(const std::string& title, const std::string& field, const std::vector<LoadLine>& lines) {
  const Json cells = cells_of(field, lines);
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
      {"layer", make_layers(experts, field)}};
  chart["resolve"] = {{"scale", {{"x", "independent"}, {"y", "independent"}}}};
  return chart;
}

}  // namespace moe
