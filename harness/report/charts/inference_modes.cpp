// What each way to evaluate a router that draws its experts makes of a trained model.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/rows.h"

#include <algorithm>

namespace moe {
namespace {

struct ModeName {
  const char *mode, *name;
};
constexpr ModeName mode_names[] = {
    {"mean", "mean of all outputs"},      {"merged", "mean of all weights"},           {"token", "drawn for a token"},
    {"sentence", "drawn for a sentence"}, {"position_shared", "drawn for a position"}, {"fixed", "one expert for all"},
};

/// Without a loss where the run has none in this mode.
InferenceModeRecord find_mode(const RunResult& run, const std::string& mode) {
  if (!run.inference) return {};
  const auto& modes = run.inference->modes;
  const auto found =
      std::find_if(modes.begin(), modes.end(), [&](const InferenceModeRecord& record) { return record.mode == mode; });
  return found == modes.end() ? InferenceModeRecord() : *found;
}

/// One way to evaluate, over the seeds of a row.
struct ModeLosses {
  std::vector<double> added;      ///< to the loss of the mean of all experts' outputs
  std::vector<double> deviation;  ///< between the evaluations of one model
};

ModeLosses losses_of(const TableRow& row, const std::string& mode) {
  ModeLosses losses;
  for (const RunResult* run : row.runs) {
    const InferenceModeRecord record = find_mode(*run, mode), of_mean = find_mode(*run, "mean");
    if (record.loss && of_mean.loss) losses.added.push_back(*record.loss - *of_mean.loss);
    if (record.deviation) losses.deviation.push_back(*record.deviation);
  }
  return losses;
}

std::string spread_of(const ModeLosses& losses, const std::string& mode) {
  if (losses.deviation.empty()) return "";
  return fmt::format(", {:.4f} standard deviation between {}", mean(losses.deviation),
                     mode == "fixed" ? "experts" : "draws");
}

/// "Two experts, each taking all tokens, name other pieces for 3.1 to 4.0 % of them." Empty: nothing is known of two.
std::string disagreement_sentence(const std::vector<const TableRow*>& rows) {
  std::vector<double> shares;
  for (const TableRow* row : rows) {
    for (const RunResult* run : row->runs) {
      if (run->inference && run->inference->expert_disagreement) shares.push_back(*run->inference->expert_disagreement);
    }
  }
  if (shares.empty()) return "";
  const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
  return fmt::format(
      "Two experts of one model, each taking all tokens, name other pieces for {:.1f} to {:.1f} % of them.",
      100 * *least, 100 * *most);
}

std::optional<Json> inference_modes_specification(const ResultsTable& table, const std::string& title) {
  const std::vector<const TableRow*> rows = largest_rows(table);
  Json bars = Json::array();
  for (const TableRow* row : rows) {
    for (const auto& [mode, name] : mode_names) {
      const ModeLosses losses = losses_of(*row, mode);
      const std::optional<Estimate> added = estimate(losses.added);
      if (!added) continue;
      add_bar(bars, *row, *added,
              fmt::format("{}, {:+.4f} nats per token{}", name, added->mean, spread_of(losses, mode)));
      bars.back()["row"] = name;
      bars.back()["panel"] = row->panel.empty() ? row_name(*row) : row_name(*row) + ", " + row->panel;
    }
  }
  if (bars.empty()) return std::nullopt;
  Json chart = base_specification(title, {"0: as good as the mean of all experts' outputs. " + evidence_sentence(table),
                                          disagreement_sentence(rows), undertrained_sentence(rows)});
  chart["data"] = {{"values", bars}};
  chart["facet"] = {
      {"field", "panel"}, {"type", "nominal"}, {"title", nullptr}, {"sort", values_in_order(bars, "panel")}};
  chart["columns"] = 2;
  chart["spec"] = bar_view(bars, "added loss (nats per token)", "+.3f", StrategyStyles(table));
  chart["spec"]["width"] = 290;
  return chart;
}

}  // namespace

Chart inference_modes_chart() {
  const std::string title = "Ways to evaluate a model whose experts are drawn";
  return {
      .name = "inference_modes",
      .section = Section::thor,
      .title = title,
      .caption =
          "The validation loss of the scored model in each way to evaluate it, less that with the mean of all "
          "experts' outputs; nothing is trained anew. Drawn ways are means over several draws, and one expert for "
          "all is the mean over the experts; their spread stands in the tooltips. Where all bars are close to 0, "
          "the cheapest way will do.",
      .specification = [title](const ReportData& data) { return inference_modes_specification(data.table, title); }};
}

}  // namespace moe
