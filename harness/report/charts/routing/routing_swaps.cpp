// What other choices of experts cost a trained model.

#include "core/error.h"
#include "harness/report/charts/chart.h"
#include "harness/report/charts/rows.h"

namespace moe {
namespace {

std::string swap_name(const std::string& swap) {
  if (swap == "second_best") return "second best";
  return swap == "shuffled" ? "choices shuffled" : "random choices";
}

/// The added loss of one swap over the seeds of a row.
std::optional<Estimate> added_loss(const TableRow& row, const std::string& swap) {
  std::vector<double> added;
  for (const RunResult* run : row.runs) {
    for (const SwapRecord& record : run->routing_swaps) {
      if (record.swap == swap && record.added) added.push_back(*record.added);
    }
  }
  return estimate(added);
}

std::optional<Json> routing_swaps_specification(const ResultsTable& table, const std::string& title) {
  Json bars = Json::array();
  for (const char* swap : {"second_best", "shuffled", "random"}) {
    for (const TableRow* row : largest_rows(table)) {
      const std::optional<Estimate> added = added_loss(*row, swap);
      if (!added) continue;
      add_bar(bars, *row, *added, fmt::format("{}, {:+.3f} nats per token", swap_name(swap), added->mean));
      bars.back()["swap"] = swap_name(swap);
    }
  }
  if (bars.empty()) return std::nullopt;
  Json chart = base_specification(title, {"0: the choice of experts is worth nothing. " + evidence_sentence(table),
                                          undertrained_sentence(largest_rows(table))});
  Json view = bar_view(bars, "added loss (nats per token)", "+.3f", StrategyStyles(table));
  view["width"] = 250;
  put_view(chart, bars, view, "swap");
  return chart;
}

}  // namespace

Chart routing_swaps_chart() {
  const std::string title = "What other choices of experts cost a trained model";
  return {.name = "routing_swaps",
          .section = Section::why,
          .title = title,
          .caption =
              "The validation loss of the scored model when every MoE layer chooses otherwise, less the loss with its "
              "own choices; nothing is trained anew. Shuffled: each token has the choice of another; second best: the "
              "expert that came second; random: any. Where the bar is 0, the experts learned the same thing, or nobody "
              "needs to know which of them a token gets.",
          .specification = [title](const ReportData& data) { return routing_swaps_specification(data.table, title); }};
}

}  // namespace moe
