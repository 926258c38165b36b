// How much BLEU moves where an evaluation draws its experts.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/rows.h"

#include <algorithm>

namespace moe {
namespace {

void add_draws(const ResultsTable& table, const TableRow& row, Json& points) {
  for (const RunResult* run : row.runs) {
    for (const TestScore& score : run->scores) {
      if (score.bleu.draws.size() < 2) continue;
      const double mean_bleu = mean(score.bleu.draws);
      for (const double bleu : score.bleu.draws) {
        points.push_back({{"strategy", row.label},
                          {"row", fmt::format("{}, seed {}", row_name(row), run->seed)},
                          {"setting", panel_name(table, {score.set, score.direction}, row.panel)},
                          {"undertrained", row.undertrained},
                          {"bleu", bleu},
                          {"mean", mean_bleu},
                          {"words", fmt::format("{}, seed {}: BLEU {:.2f} in one draw, {:.2f} in the mean",
                                                row_name(row), run->seed, bleu, mean_bleu)}});
      }
    }
  }
}

Json draw_view(const Json& points, const StrategyStyles& styles) {
  const Json y = row_channel(points);
  const auto x = [&](const char* field) {
    return Json{{"field", field}, {"type", "quantitative"}, {"title", "BLEU"}, {"scale", {{"zero", false}}}};
  };
  const Json means = {{"mark", {{"type", "tick"}, {"thickness", 2}, {"color", ink::strong}, {"aria", false}}},
                      {"encoding", {{"x", x("mean")}, {"y", y}}}};
  const Json dots = {{"mark", {{"type", "point"}, {"size", 60}, {"strokeWidth", 2}, {"opacity", 0.8}}},
                     {"encoding",
                      {{"x", x("bleu")},
                       {"y", y},
                       {"fill", row_fill(styles)},
                       {"stroke", row_stroke(styles)},
                       {"description", spoken()}}}};
  return {{"width", 460}, {"height", {{"step", 21}}}, {"layer", Json::array({means, dots})}};
}

std::optional<Json> draws_specification(const ResultsTable& table, const std::string& title) {
  Json points = Json::array();
  for (const TableRow* row : largest_rows(table)) add_draws(table, *row, points);
  if (points.empty()) return std::nullopt;
  Json chart = base_specification(title, {"A point a draw; the upright mark is their mean, the score of the tables.",
                                          undertrained_sentence(largest_rows(table))});
  put_view(chart, points, draw_view(points, StrategyStyles(table)));
  return chart;
}

}  // namespace

Chart draws_chart() {
  const std::string title = "Test BLEU over the draws of an evaluation";
  return {.name = "draws",
          .section = Section::thor,
          .title = title,
          .caption =
              "Where experts are drawn at random at evaluation too, the test set is translated several times. The "
              "spread is that of one trained model; it says nothing about seeds. The axis does not start at zero.",
          .specification = [title](const ReportData& data) { return draws_specification(data.table, title); }};
}

}  // namespace moe
