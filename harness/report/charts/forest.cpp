// The effect of each claim with its two intervals: a forest plot.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/style.h"
#include "harness/report/tables/claims_table.h"
#include "metrics/table.h"

#include <algorithm>
#include <array>

namespace moe {
namespace {

constexpr int longest_claim = 46;  ///< characters in a line of a claim's words; longer ones go on in the next

bool has_band(const Verdict& verdict) {
  return verdict.delta > 0 && (verdict.kind == "equal" || verdict.kind == "ratio_of_parameters");
}

/// The words of a claim in lines, which Vega-Lite does not break by itself.
Json lines_of(const std::string& text) {
  Json lines = Json::array();
  std::string line;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!line.empty() && line.size() + word.size() >= longest_claim) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    start = end + 1;
  }
  lines.push_back(line);
  return lines;
}

Json claim_point(const Verdict& verdict, const Evidence& evidence, std::size_t place) {
  Json point = {{"place", place},
                {"claim", lines_of(claim_name(verdict))},
                {"verdict", verdict_name(verdict.verdict)},
                {"effect", evidence.effect},
                {"words", fmt::format("{}: {}. Effect {}, over {} seeds {}, over sentences {}", claim_name(verdict),
                                      verdict_name(verdict.verdict), format_effect(verdict, evidence.effect),
                                      evidence.seeds, format_effects(verdict, evidence.seeds_interval),
                                      format_effects(verdict, evidence.sentences_interval))}};
  const auto add_interval = [&](const std::string& name, const std::optional<Interval>& interval) {
    if (!interval) return;
    point[name + "_low"] = interval->low;
    point[name + "_high"] = interval->high;
  };
  add_interval("seeds", evidence.seeds_interval);
  add_interval("sentences", evidence.sentences_interval);
  if (verdict.margin > 0) point["margin"] = verdict.margin;
  if (has_band(verdict)) {
    point["band_low"] = -verdict.delta;
    point["band_high"] = verdict.delta;
  }
  return point;
}

constexpr std::array kinds = {VerdictKind::supported, VerdictKind::contradicted, VerdictKind::undecided,
                              VerdictKind::untestable};

/// A channel over the four verdicts; each row says its own in words, so no legend is needed.
Json verdict_channel(const Json& looks) {
  Json names = Json::array();
  for (const VerdictKind kind : kinds) names.push_back(verdict_name(kind));
  return {
      {"field", "verdict"}, {"type", "nominal"}, {"scale", {{"domain", names}, {"range", looks}}}, {"legend", nullptr}};
}

Json verdict_colours() {
  Json colours = Json::array();
  for (const VerdictKind kind : kinds) colours.push_back(verdict_colour(kind));
  return verdict_channel(colours);
}

Json verdict_shapes() {
  return verdict_channel(Json::array({"circle", "square", "diamond", "triangle-up"}));
}

/// Layers from the back to the front: band of equality, no effect, intervals, margin, effect, words.
Json forest_layers(const std::string& axis_title) {
  const Json y = {{"field", "place"}, {"type", "ordinal"}, {"axis", nullptr}};
  const auto x = [&](const char* field) {
    return Json{{"field", field}, {"type", "quantitative"}, {"title", axis_title}, {"axis", {{"tickCount", 7}}}};
  };
  const auto where = [](const char* field) {
    return Json::array({{{"filter", fmt::format("isValid(datum.{})", field)}}});
  };
  const Json colour = verdict_colours();
  const auto span = [&](const char* low, const char* high, double width, double opacity) {
    return Json{{"transform", where(low)},
                {"mark", {{"type", "rule"}, {"strokeWidth", width}, {"opacity", opacity}, {"aria", false}}},
                {"encoding", {{"x", x(low)}, {"x2", {{"field", high}}}, {"y", y}, {"color", colour}}}};
  };
  const Json band = {{"transform", where("band_low")},
                     {"mark", {{"type", "rect"}, {"color", ink::line}, {"aria", false}}},
                     {"encoding", {{"x", x("band_low")}, {"x2", {{"field", "band_high"}}}, {"y", y}}}};
  const Json zero = {{"mark", {{"type", "rule"}, {"color", ink::muted}, {"strokeWidth", 1}, {"aria", false}}},
                     {"encoding", {{"x", {{"datum", 0}, {"type", "quantitative"}}}}}};
  const Json margin = {{"transform", where("margin")},
                       {"mark", {{"type", "tick"}, {"color", ink::strong}, {"thickness", 2}, {"aria", false}}},
                       {"encoding", {{"x", x("margin")}, {"y", y}}}};
  Json fill = colour;
  fill["condition"] = {{"test", "datum.verdict == 'undecided' || datum.verdict == 'untestable'"}, {"value", "white"}};
  const Json points = {{"mark", {{"type", "point"}, {"size", 110}, {"strokeWidth", 2}, {"opacity", 1}}},
                       {"encoding",
                        {{"x", x("effect")},
                         {"y", y},
                         {"color", colour},
                         {"shape", verdict_shapes()},
                         {"fill", fill},
                         {"description", spoken()}}}};
  const auto text = [&](const char* field, const Json& mark, const Json& place) {
    Json words = {{"mark", {{"type", "text"}, {"aria", false}, {"fontSize", 12}, {"color", ink::strong}}},
                  {"encoding", {{"x", place}, {"y", y}, {"text", {{"field", field}, {"type", "nominal"}}}}}};
    words["mark"].update(mark);
    return words;
  };
  Json name =
      text("claim", {{"align", "right"}, {"dx", -12}, {"lineHeight", 14}, {"baseline", "middle"}}, {{"value", 0}});
  Json verdict = text("verdict", {{"align", "left"}, {"dx", 12}}, {{"value", "width"}});
  verdict["encoding"]["color"] = colour;
  // The wide line lets the narrow one be seen through it, whichever is longer.
  return Json::array({band, zero, span("seeds_low", "seeds_high", 8, 0.35),
                      span("sentences_low", "sentences_high", 2, 1), margin, points, name, verdict});
}

/// One panel for each metric, since their units differ.
Json panel_of(const std::vector<Verdict>& verdicts, const std::string& metric) {
  Json points = Json::array();
  for (const Verdict& verdict : verdicts) {
    if (verdict.evidence && verdict.metric == metric)
      points.push_back(claim_point(verdict, *verdict.evidence, points.size()));
  }
  return {{"data", {{"values", points}}},
          {"width", 430},
          {"height", {{"step", 40}}},
          {"layer", forest_layers("effect in " + axis_title(find_metric(metric)))}};
}

std::optional<Json> forest_specification(const std::vector<Verdict>& verdicts, const std::string& title) {
  std::vector<std::string> metrics;
  for (const Verdict& verdict : verdicts) {
    if (!verdict.evidence) continue;
    if (std::find(metrics.begin(), metrics.end(), verdict.metric) == metrics.end()) metrics.push_back(verdict.metric);
  }
  if (metrics.empty()) return std::nullopt;
  Json chart = base_specification(
      title,
      {"To the right: in favour of the claim's first side. Thick: interval over seeds; thin: over sentences.",
       "Real: both leave the line at 0, or the upright margin, behind, after correction for all claims. Grey: the "
       "band of equality. Hollow: not decided."});
  chart["vconcat"] = Json::array();
  for (const std::string& metric : metrics) chart["vconcat"].push_back(panel_of(verdicts, metric));
  return chart;
}

}  // namespace

Chart forest_chart() {
  const std::string title = "What the claims come to";
  return {.name = "forest",
          .section = Section::verdicts,
          .title = title,
          .caption =
              "One row a claim: its effect, the interval of the mean over seeds and the interval over the sentences of "
              "the test sets, each for this claim alone at its level. Holm's correction over all claims asks for more "
              "than that they leave the line; equality asks for narrower intervals (90 % at a level of 5 %) inside the "
              "grey band. Claims about which nothing could be measured stand in the table alone.",
          .specification = [title](const ReportData& data) { return forest_specification(data.verdicts, title); }};
}

}  // namespace moe
