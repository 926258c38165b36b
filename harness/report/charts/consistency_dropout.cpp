// BLEU over the weight of the consistency loss and dropout: both noise the passes that are to agree.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/style.h"
#include "harness/sweep/setting_names.h"

#include <algorithm>
#include <map>
#include <set>

namespace moe {
namespace {

constexpr const char* weight_key = "strategy.objective.consistency";
constexpr const char* passes_key = "strategy.objective.passes";
constexpr const char* dropout_key = "model.dropout";

/// Rows that have both numbers.
std::vector<const TableRow*> rows_with_both(const ResultsTable& table) {
  std::vector<const TableRow*> rows = finished_rows(table);
  std::erase_if(rows, [](const TableRow* row) {
    const Json& settings = row->runs.front()->settings;
    return !settings.contains(weight_key) || !settings.contains(dropout_key);
  });
  return rows;
}

/// What tells rows apart besides strategy and dropout, in words.
std::vector<std::string> settings_without_dropout(const ResultsTable& table, const std::vector<const TableRow*>& rows) {
  std::vector<std::string> keys = table.axes;
  std::erase(keys, dropout_key);
  std::vector<FlatSettings> settings;
  for (const TableRow* row : rows) settings.push_back(row->runs.front()->settings);
  return setting_names(settings, keys);
}

Json weight_cells(const ResultsTable& table) {
  const std::vector<const TableRow*> rows = rows_with_both(table);
  const std::vector<std::string> settings = settings_without_dropout(table, rows);
  Json cells = Json::array();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const TableRow& row = *rows[r];
    const Json& own = row.runs.front()->settings;
    const std::string passes = own.value(passes_key, Json(2)) == 1 ? ", 1 pass" : "";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::optional<TestCell>& cell = row.scores[i];
      if (!cell) continue;
      const std::string experts = row.experts > 1 ? fmt::format(", {} experts", row.experts) : "";
      const std::string where = panel_name(table, table.columns[i], settings[r]);
      const double bleu = cell->bleu.mean;
      cells.push_back({{"panel", row.router + experts + (where.empty() ? "" : " · " + where)},
                       {"weight", own[weight_key]},
                       {"row", setting_text(own[weight_key]) + passes},
                       {"dropout", setting_text(own[dropout_key])},
                       {"bleu", bleu},
                       {"number", fmt::format("{:.1f}{}", bleu, row.undertrained ? " †" : "")},
                       {"undertrained", row.undertrained},
                       {"words", fmt::format("{}{}, dropout {}: BLEU {:.1f}", marked_label(row), experts,
                                             setting_text(own[dropout_key]), bleu)}});
    }
  }
  return cells;
}

/// Leaves the panels in which some weight has two dropouts and some dropout two weights, in ascending weights: of a
/// diagonal nobody can tell which of the two made the difference.
Json crossed_panels(const Json& cells) {
  struct Panel {
    std::map<double, std::set<std::string>> dropouts_of;
    std::map<std::string, std::set<double>> weights_of;
  };
  std::map<std::string, Panel> panels;
  for (const Json& cell : cells) {
    Panel& panel = panels[cell["panel"].get<std::string>()];
    const auto weight = cell["weight"].get<double>();
    const auto dropout = cell["dropout"].get<std::string>();
    panel.dropouts_of[weight].insert(dropout);
    panel.weights_of[dropout].insert(weight);
  }
  const auto has_two = [](const auto& of) { return of.second.size() > 1; };
  std::vector<Json> kept;
  for (const Json& cell : cells) {
    const auto& [dropouts_of, weights_of] = panels[cell["panel"].get<std::string>()];
    if (std::any_of(dropouts_of.begin(), dropouts_of.end(), has_two) &&
        std::any_of(weights_of.begin(), weights_of.end(), has_two)) {
      kept.push_back(cell);
    }
  }
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Json& a, const Json& b) { return a["weight"].get<double>() < b["weight"].get<double>(); });
  return kept;
}

Json weight_layers(const Json& cells) {
  const Json axis = {{"labelAngle", 0}, {"ticks", false}, {"domain", false}};
  const Json x = {{"field", "dropout"}, {"type", "ordinal"}, {"title", "dropout"}, {"axis", axis}};
  const Json y = {{"field", "row"},
                  {"type", "ordinal"},
                  {"title", "consistency"},
                  {"sort", values_in_order(cells, "row")},
                  {"axis", axis}};
  const Json colour = {{"condition", {{"test", "datum.undertrained"}, {"value", "white"}}},
                       {"field", "bleu"},
                       {"type", "quantitative"},
                       {"scale", {{"range", {"#f3f1ec", "#7fb2d9"}}, {"interpolate", "lab"}, {"zero", false}}},
                       {"legend", nullptr}};
  const Json tiles = {{"mark", {{"type", "rect"}, {"stroke", ink::line}, {"strokeWidth", 1}}},
                      {"encoding", {{"x", x}, {"y", y}, {"color", colour}, {"description", spoken()}}}};
  const Json numbers = {{"mark", {{"type", "text"}, {"fontSize", 11}, {"aria", false}, {"color", "#33383d"}}},
                        {"encoding", {{"x", x}, {"y", y}, {"text", {{"field", "number"}, {"type", "nominal"}}}}}};
  return Json::array({tiles, numbers});
}

std::optional<Json> consistency_dropout_specification(const ResultsTable& table, const std::string& title) {
  const Json cells = crossed_panels(weight_cells(table));
  if (cells.empty()) return std::nullopt;
  const bool unsettled =
      std::any_of(cells.begin(), cells.end(), [](const Json& cell) { return cell["undertrained"].get<bool>(); });
  Json chart = base_specification(title, {evidence_sentence(table), unsettled ? "Hollow cells, †: undertrained." : ""});
  chart["data"] = {{"values", cells}};
  chart["facet"] = {
      {"field", "panel"}, {"type", "nominal"}, {"title", nullptr}, {"sort", values_in_order(cells, "panel")}};
  chart["columns"] = 2;
  chart["spec"] = {{"width", {{"step", 56}}},
                   {"height", {{"step", 28}}},
                   {"view", {{"stroke", nullptr}}},
                   {"layer", weight_layers(cells)}};
  chart["resolve"] = {{"scale", {{"x", "independent"}, {"y", "independent"}, {"color", "independent"}}}};
  return chart;
}

}  // namespace

Chart consistency_dropout_chart() {
  const std::string title = "Test BLEU over the weight of the consistency loss and dropout";
  return {.name = "consistency_dropout",
          .section = Section::thor,
          .title = title,
          .caption =
              "The two passes that a consistency loss makes agree differ by their dropout and, in THOR, by their "
              "experts: what the loss is worth depends on both. Darker is better within a panel.",
          .specification = [title](const ReportData& data) {
            return consistency_dropout_specification(data.table, title);
          }};
}

}  // namespace moe
