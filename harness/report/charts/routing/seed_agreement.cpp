// Whether seeds of one configuration learn the same routes.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/routing/layer_map.h"
#include "harness/report/charts/rows.h"
#include "harness/results/routing_choices.h"
#include "metrics/expert_matching.h"

#include <algorithm>
#include <map>

namespace moe {
namespace {

constexpr std::int64_t most_experts_matched = 64;

struct LayerAgreement {
  std::string name;
  std::vector<double> shares;  ///< of each pair of seeds
  std::vector<double> chances;
};

/// The choices of a run; none where it wrote none, or its folder no longer has the file as it was.
RoutingChoices choices_of(const RunResult& run) {
  const std::filesystem::path file = run.file.parent_path() / run.routing_choices;
  if (run.routing_choices.empty() || !std::filesystem::exists(file)) return {};
  try {
    return read_routing_choices(file);
  } catch (const Error&) {
    return {};
  }
}

/// False for choices that no router with so many experts made.
bool all_below(const std::vector<std::int64_t>& choices, std::int64_t experts) {
  return std::all_of(choices.begin(), choices.end(), [&](std::int64_t choice) { return choice < experts; });
}

/// Of each layer over all pairs of seeds, by ordinal of the layer.
std::map<std::size_t, LayerAgreement> agreements_of(const TableRow& row) {
  std::vector<RoutingChoices> choices;
  for (const RunResult* run : row.runs) choices.push_back(choices_of(*run));
  std::map<std::size_t, LayerAgreement> layers;
  for (const LayerRouting& layer : row.runs.front()->routing) {
    const auto place = static_cast<std::size_t>(layer.layer);
    const std::int64_t experts = std::ssize(layer.figures.load);
    if (experts < 2 || experts > most_experts_matched) continue;
    for (std::size_t a = 0; a < choices.size(); ++a) {
      for (std::size_t b = a + 1; b < choices.size(); ++b) {
        if (place >= choices[a].size() || place >= choices[b].size()) continue;
        if (choices[a][place].size() != choices[b][place].size()) continue;  // other tokens
        if (!all_below(choices[a][place], experts) || !all_below(choices[b][place], experts)) continue;
        const auto agreement = routing_agreement(choices[a][place], choices[b][place], experts);
        if (!agreement) continue;
        layers[place].name = layer_name(layer);
        layers[place].shares.push_back(agreement->share);
        layers[place].chances.push_back(agreement->chance);
      }
    }
  }
  return layers;
}

void add_agreements(const TableRow& row, Json& points) {
  for (const auto& [place, layer] : agreements_of(row)) {
    const double share = mean(layer.shares), chance = mean(layer.chances);
    points.push_back({{"strategy", row.label},
                      {"row", row_name(row)},
                      {"setting", row.panel},
                      {"layer", layer.name},
                      {"undertrained", row.undertrained},
                      {"share", share},
                      {"chance", chance},
                      {"words", fmt::format("{}, {}: {:.0f} % of the tokens go to matching experts, {:.0f} % by chance",
                                            row_name(row), layer.name, 100 * share, 100 * chance)}});
  }
}

Json agreement_view(const Json& points, const StrategyStyles& styles) {
  const Json y = row_channel(points);
  const auto x = [](const char* field) {
    return Json{{"field", field},
                {"type", "quantitative"},
                {"title", "share of tokens"},
                {"scale", {{"domain", {0, 1}}}},
                {"axis", {{"format", ".0%"}, {"values", {0, 0.5, 1}}}}};
  };
  const Json chance = {{"mark", {{"type", "tick"}, {"thickness", 2}, {"color", ink::strong}, {"aria", false}}},
                       {"encoding", {{"x", x("chance")}, {"y", y}}}};
  const Json shares = {{"mark", {{"type", "point"}, {"size", 70}, {"strokeWidth", 2}, {"opacity", 1}}},
                       {"encoding",
                        {{"x", x("share")},
                         {"y", y},
                         {"fill", row_fill(styles)},
                         {"stroke", row_stroke(styles)},
                         {"description", spoken()}}}};
  return {{"width", 220}, {"height", {{"step", 21}}}, {"layer", Json::array({chance, shares})}};
}

std::optional<Json> seed_agreement_specification(const ResultsTable& table, const std::string& title) {
  Json points = Json::array();
  const std::vector<const TableRow*> rows = largest_rows(table, most_experts_matched);
  for (const TableRow* row : rows) {
    if (row->runs.size() > 1 && !is_drawn(*row)) add_agreements(*row, points);
  }
  if (points.empty()) return std::nullopt;
  Json chart =
      base_specification(title, {"Points: tokens of matching experts, mean over pairs of seeds. Upright marks: "
                                 "by chance.",
                                 undertrained_sentence(rows)});
  put_view(chart, points, agreement_view(points, StrategyStyles(table)), "layer");
  return chart;
}

}  // namespace

Chart seed_agreement_chart() {
  const std::string title = "Agreement of routing between seeds";
  return {
      .name = "seed_agreement",
      .section = Section::why,
      .title = title,
      .caption =
          "First choices for the same validation tokens. The experts of two seeds are matched so that they agree as "
          "often as possible, up to 64 experts; chance is the agreement of routers with the same loads that know "
          "nothing of each other. Strategies that route by token or sentence id agree by construction; those that draw "
          "experts at random have nothing to agree on, and are left out.",
      .specification = [title](const ReportData& data) { return seed_agreement_specification(data.table, title); }};
}

}  // namespace moe
