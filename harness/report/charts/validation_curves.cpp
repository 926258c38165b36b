// BLEU and loss on the validation set over the updates.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/style.h"
#include "metrics/table.h"

#include <algorithm>
#include <map>

namespace moe {
namespace {

struct PointValues {
  std::vector<double> bleu;
  std::vector<double> loss;
};

/// The mean over the seeds that were validated at an update, for both figures, from `first` on.
void add_curve(const TableRow& row, std::int64_t first, Json& points) {
  std::map<std::int64_t, PointValues> by_update;
  for (const RunResult* run : row.runs) {
    for (const CurvePoint& validation : run->curve) {
      if (validation.update < first) continue;
      PointValues& values = by_update[validation.update];
      if (validation.valid_bleu) values.bleu.push_back(*validation.valid_bleu);
      if (validation.valid_loss) values.loss.push_back(*validation.valid_loss);
    }
  }
  const auto add = [&](std::int64_t update, const char* metric, const std::vector<double>& values) {
    if (values.empty()) return;
    points.push_back({{"strategy", row.label},
                      {"experts", row.experts},
                      {"setting", row.panel},
                      {"update", update},
                      {"figure", axis_title(find_metric(metric))},
                      {"value", mean(values)},
                      {"last", update == by_update.rbegin()->first},
                      {"undertrained", row.undertrained},
                      {"words", fmt::format("{}: {} {:.4g} after {} updates", marked_label(row),
                                            find_metric(metric).title, mean(values), update)}});
  };
  for (const auto& [update, values] : by_update) {
    add(update, "bleu", values.bleu);
    add(update, "loss", values.loss);
  }
}

/// Where the curves begin: long ones leave out their first quarter, whose steep part would press the rest together.
std::int64_t first_update_shown(const std::vector<const TableRow*>& rows) {
  constexpr std::size_t few = 8;
  std::int64_t last = 0;
  std::size_t validations = 0;
  for (const TableRow* row : rows) {
    for (const RunResult* run : row->runs) {
      validations = std::max(validations, run->curve.size());
      if (!run->curve.empty()) last = std::max(last, run->curve.back().update);
    }
  }
  return validations < few ? 0 : last / 4;
}

Json make_layers(const StrategyStyles& styles) {
  const Json x = {{"field", "update"},
                  {"type", "quantitative"},
                  {"title", "updates"},
                  {"scale", {{"zero", false}, {"nice", false}}},
                  {"axis", {{"format", ",.0f"}, {"tickCount", 6}}}};
  const Json y = {{"field", "value"}, {"type", "quantitative"}, {"title", nullptr}, {"scale", {{"zero", false}}}};
  Json ends = strategy_points(styles, x, y, "datum.undertrained");
  ends["transform"] = {{{"filter", "datum.last"}}};
  return {strategy_lines(styles, x, y), ends};
}

std::optional<Json> validation_curves_specification(const ResultsTable& table, const std::string& title) {
  const std::vector<const TableRow*> rows = largest_rows(table);
  const std::int64_t first = first_update_shown(rows);
  Json points = Json::array();
  for (const TableRow* row : rows) add_curve(*row, first, points);
  if (points.empty()) return std::nullopt;
  const Json settings = values_in_order(points, "setting");
  const bool several = std::any_of(rows.begin(), rows.end(), [](const auto* row) { return row->runs.size() > 1; });
  const std::string start = first > 0 ? fmt::format(", from update {} on.", first) : ".";
  Json chart = base_specification(
      title, {"Each strategy with its largest number of experts" + start,
              several ? "Means over the seeds." : evidence_sentence(table), undertrained_sentence(rows)});
  chart["data"] = {{"values", points}};
  const auto by = [&](const char* field) {
    return Json{{"field", field}, {"type", "nominal"}, {"title", nullptr}, {"sort", values_in_order(points, field)}};
  };
  chart["facet"] = {{"column", by("figure")}};
  if (settings.size() > 1) chart["facet"]["row"] = by("setting");
  chart["spec"] = {
      {"width", 340}, {"height", settings.size() > 1 ? 220 : 340}, {"layer", make_layers(StrategyStyles(table))}};
  chart["resolve"] = {{"scale", {{"y", "independent"}}}};
  return chart;
}

}  // namespace

Chart validation_curves_chart() {
  const std::string title = "Validation BLEU and loss over the updates";
  return {
      .name = "validation_curves",
      .section = Section::results,
      .title = title,
      .caption =
          "The points stand at the last validation. Loss is cross entropy per target "
          "token without label "
          "smoothing. A strategy whose evaluation is drawn at random shows the mean over its draws. Neither "
          "axis of figures starts at zero.",
      .specification = [title](const ReportData& data) { return validation_curves_specification(data.table, title); }};
}

}  // namespace moe
