// When tokens found the expert that they have at the end.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/style.h"

#include <algorithm>
#include <map>
#include <utility>

namespace moe {
namespace {

constexpr std::size_t most_points = 8;  ///< of a line; more would cover it

/// Shares of one row, by layer and update, over its seeds.
void add_saturation(const TableRow& row, Json& points) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<double>> shares;
  std::map<std::int64_t, std::string> names;
  for (const RunResult* run : row.runs) {
    for (const LayerRouting& layer : run->routing) {
      const std::vector<double>& saturation = layer.figures.saturation;
      if (layer.figures.load.size() < 2 || saturation.size() >= run->curve.size()) continue;
      names[layer.layer] = layer_name(layer);
      const std::size_t stride = saturation.size() / most_points + 1;
      for (std::size_t i = 0; i < saturation.size(); i += stride) {
        shares[{layer.layer, run->curve[i].update}].push_back(saturation[i]);
      }
    }
  }
  for (const auto& [place, values] : shares) {
    const auto [layer, update] = place;
    points.push_back({{"strategy", row.label},
                      {"layer", names[layer]},
                      {"setting", row.panel},
                      {"panel", names[layer] + (row.panel.empty() ? "" : " · " + row.panel)},
                      {"update", update},
                      {"share", mean(values)},
                      {"undertrained", row.undertrained},
                      {"words", fmt::format("{}, {}: after {} updates {:.0f} % had their last expert",
                                            marked_label(row), names[layer], update, 100 * mean(values))}});
  }
}

std::optional<Json> saturation_specification(const ResultsTable& table, const std::string& title) {
  const std::vector<const TableRow*> rows = largest_rows(table);
  Json points = Json::array();
  for (const TableRow* row : rows) add_saturation(*row, points);
  if (points.empty()) return std::nullopt;
  const StrategyStyles styles(table);
  const Json x = {{"field", "update"}, {"type", "quantitative"}, {"title", "updates"}, {"axis", {{"tickCount", 5}}}};
  const Json y = {{"field", "share"},
                  {"type", "quantitative"},
                  {"title", "share of tokens"},
                  {"scale", {{"domain", {0, 1}}}},
                  {"axis", {{"format", ".0%"}}}};
  Json chart = base_specification(
      title, {"Each strategy with its largest number of experts; means over the seeds.", undertrained_sentence(rows)});
  chart["data"] = {{"values", points}};
  chart["facet"] = {
      {"field", "panel"}, {"type", "nominal"}, {"title", nullptr}, {"sort", values_in_order(points, "panel")}};
  chart["columns"] = 2;
  chart["spec"] = {
      {"width", 330},
      {"height", 220},
      {"layer", Json::array({strategy_lines(styles, x, y), strategy_points(styles, x, y, "datum.undertrained")})}};
  return chart;
}

}  // namespace

Chart saturation_chart() {
  const std::string title = "Tokens that had their last expert already, over the updates";
  return {.name = "saturation",
          .section = Section::why,
          .title = title,
          .caption =
              "For each earlier validation, the share of the validation tokens whose first choice was that of the last "
              "one. A line that is high early: the routes were found early, whatever the experts still learned.",
          .specification = [title](const ReportData& data) { return saturation_specification(data.table, title); }};
}

}  // namespace moe
