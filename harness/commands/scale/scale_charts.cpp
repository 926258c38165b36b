#include "harness/commands/scale/scale_charts.h"

#include "harness/report/charts/style.h"

#include <fmt/format.h>

#include <array>

namespace moe {
namespace {

struct Way {
  const char* name;
  ExchangeTime LayerCost::* exchange;
};
constexpr std::array ways = {Way{"flat", &LayerCost::flat}, Way{"two-level", &LayerCost::two_level}};

/// Looks of the exchanges and of the parts of the time, in colours that stay apart for colour-blind readers.
Json looks_of_ways(const Json& looks) {
  return {{"domain", {ways[0].name, ways[1].name}}, {"range", looks}};
}

Json colour_of_way() {
  return {{"field", "exchange"}, {"type", "nominal"}, {"scale", looks_of_ways({"#d55e00", "#0072b2"})}};
}

Json shape_of_way() {
  return {{"field", "exchange"}, {"type", "nominal"}, {"scale", looks_of_ways({"circle", "square"})}};
}

Json colour_of_part() {
  const Json scale = {{"domain", {"computation", "transfer", "latency"}}, {"range", {"#8d95a0", "#e69f00", "#cc79a7"}}};
  return {{"field", "part"}, {"type", "nominal"}, {"title", "time"}, {"scale", scale}};
}

Json rank_axis(const std::vector<LayerCost>& costs) {
  Json values = Json::array();
  for (const LayerCost& cost : costs) values.push_back(cost.ranks);
  return {{"values", values}, {"format", ",d"}, {"grid", false}, {"labelOverlap", true}};
}

Json efficiency_points(const std::vector<LayerCost>& costs) {
  Json points = Json::array();
  for (const Way& way : ways) {
    for (const LayerCost& cost : costs) {
      const double efficiency = cost.efficiency(cost.*way.exchange);
      points.push_back(
          {{"ranks", cost.ranks},
           {"exchange", way.name},
           {"efficiency", efficiency},
           {"words", fmt::format("{} exchange, {} ranks: {:.0f} %", way.name, cost.ranks, 100 * efficiency)}});
    }
  }
  return points;
}

Json time_parts(const std::vector<LayerCost>& costs) {
  Json parts = Json::array();
  for (const Way& way : ways) {
    for (const LayerCost& cost : costs) {
      const ExchangeTime& exchange = cost.*way.exchange;
      const auto add = [&](int order, const char* part, double seconds) {
        parts.push_back({{"ranks", cost.ranks},
                         {"exchange", way.name},
                         {"part", part},
                         {"order", order},
                         {"milliseconds", 1e3 * seconds},
                         {"words", fmt::format("{} exchange, {} ranks, {}: {:.3g} ms", way.name, cost.ranks, part,
                                               1e3 * seconds)}});
      };
      add(0, "computation", cost.compute);
      add(1, "transfer", exchange.transfer);
      add(2, "latency", exchange.latency);
    }
  }
  return parts;
}

}  // namespace

Json efficiency_against_ranks(const std::vector<LayerCost>& costs, const std::vector<std::string>& subtitle) {
  const Json x = {{"field", "ranks"},
                  {"type", "quantitative"},
                  {"title", "ranks (log scale)"},
                  {"scale", {{"type", "log"}, {"base", 2}, {"nice", false}}},
                  {"axis", rank_axis(costs)}};
  const Json y = {{"field", "efficiency"},
                  {"type", "quantitative"},
                  {"title", "useful computation, share of the layer's time"},
                  {"scale", {{"domain", {0, 1}}}},
                  {"axis", {{"format", ".0%"}}}};
  const Json line = {{"mark", {{"type", "line"}, {"strokeWidth", 2}, {"aria", false}}},
                     {"encoding", {{"x", x}, {"y", y}, {"color", colour_of_way()}}}};
  const Json points = {
      {"mark", {{"type", "point"}, {"size", 70}, {"filled", true}, {"opacity", 1}}},
      {"encoding",
       {{"x", x}, {"y", y}, {"color", colour_of_way()}, {"shape", shape_of_way()}, {"description", spoken()}}}};
  Json chart = base_specification("Efficiency of an MoE layer against ranks (model)", subtitle);
  chart["data"] = {{"values", efficiency_points(costs)}};
  chart["width"] = 560;
  chart["height"] = 360;
  chart["layer"] = Json::array({line, points});
  return chart;
}

Json time_against_ranks(const std::vector<LayerCost>& costs, const std::vector<std::string>& subtitle) {
  Json chart = base_specification("Time of an MoE layer in a step against ranks (model)", subtitle);
  chart["data"] = {{"values", time_parts(costs)}};
  chart["facet"]["column"] = {{"field", "exchange"},
                              {"type", "nominal"},
                              {"title", nullptr},
                              {"header", {{"labelExpr", "datum.value + ' exchange'"}}}};
  const Json encoding = {
      {"x",
       {{"field", "ranks"}, {"type", "ordinal"}, {"title", "ranks"}, {"axis", {{"labelAngle", 0}, {"format", ",d"}}}}},
      {"y", {{"field", "milliseconds"}, {"type", "quantitative"}, {"title", "milliseconds"}}},
      {"color", colour_of_part()},
      {"order", {{"field", "order"}, {"type", "quantitative"}}},
      {"description", spoken()}};
  chart["spec"] = {{"width", 340}, {"height", 300}, {"mark", "bar"}, {"encoding", encoding}};
  return chart;
}

}  // namespace moe
