#include "harness/report/summary.h"

#include "core/error.h"
#include "harness/report/tables/claims_table.h"
#include "harness/sweep/setting_names.h"

#include <algorithm>

namespace moe {
namespace {

constexpr int summary_schema_version = 1;

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

/// null where the object is missing.
template <class Object, class Figure>
Json member(const std::optional<Object>& object, Figure figure) {
  return object ? Json(figure(*object)) : Json();
}

void add_axes(Json& summary, const RunResult& run, const std::vector<std::string>& axes) {
  for (const std::string& axis : axes) {
    const bool listed = axis == "training.seed" || axis == "strategy.router" || axis == "strategy.experts";
    if (!listed) summary[axis] = run.settings.value(axis, Json());
  }
}

void add_scores(Json& summary, const RunResult& run, const std::vector<TestColumn>& columns) {
  for (const TestColumn& column : columns) {
    const auto score = std::find_if(run.scores.begin(), run.scores.end(), [&](const TestScore& other) {
      return TestColumn{other.set, other.direction} == column;
    });
    const bool scored = score != run.scores.end();
    const std::string name = column.set + "." + column.direction;
    summary[name + ".bleu"] = scored ? Json(score->bleu.score) : Json();
    summary[name + ".bleu_draw_sd"] =
        scored && score->bleu.draws.size() > 1 ? Json(score->bleu.standard_deviation) : Json();
    summary[name + ".chrf"] = scored ? Json(score->chrf.score) : Json();
    summary[name + ".chrf_draw_sd"] =
        scored && score->chrf.draws.size() > 1 ? Json(score->chrf.standard_deviation) : Json();
    summary[name + ".loss"] = scored ? or_null(score->loss) : Json();
    summary[name + ".perplexity"] = scored ? or_null(score->perplexity) : Json();
  }
}

Json summarise_run(const RunResult& run, const std::vector<std::string>& axes, const std::vector<TestColumn>& columns) {
  const CurvePoint last = run.curve.empty() ? CurvePoint{} : run.curve.back();
  Json summary = {{"run_id", run.run_id},
                  {"status", run.status},
                  {"strategy", run.strategy.label},
                  {"router", run.strategy.router},
                  {"experts", run.strategy.experts},
                  {"seed", run.seed}};
  add_axes(summary, run, axes);
  summary["undertrained"] = run.finished() ? Json(run.undertrained()) : Json();
  // Parameters have a decimal point here, as all figures of groups have.
  const auto& parameters = run.parameters;
  summary["total_parameters"] = member(parameters, [](const auto& p) { return static_cast<double>(p.total); });
  summary["active_parameters"] = member(parameters, [](const auto& p) { return static_cast<double>(p.active); });
  summary["training_flops"] = member(run.flops, [](const auto& flops) { return flops.training; });
  summary["updates"] = member(run.training, [](const auto& training) { return training.updates; });
  summary["epochs"] = member(run.training, [](const auto& training) { return or_null(training.epochs); });
  summary["target_tokens"] = member(run.training, [](const auto& training) { return or_null(training.target_tokens); });
  summary["stopped_by"] = member(run.training, [](const auto& training) { return training.stopped_by; });
  summary["valid_loss"] = or_null(last.valid_loss);
  summary["valid_perplexity"] = or_null(last.valid_perplexity);
  summary["valid_bleu"] = or_null(last.valid_bleu);
  add_scores(summary, run, columns);
  const MeasurementRecord& measured = run.measurements;
  summary["target_tokens_per_second"] = or_null(measured.target_tokens_per_second);
  summary["decoded_sentences_per_second"] = or_null(measured.decoded_sentences_per_second);
  summary["peak_memory_bytes"] = or_null(measured.peak_memory_bytes);
  summary["seconds"] = member(measured.seconds, [](const auto& seconds) { return seconds.total; });
  summary["failure"] = or_null(run.failure);
  return summary;
}

Json estimate_json(const std::optional<Estimate>& value) {
  if (!value) return nullptr;
  return {{"mean", value->mean},
          {"sd", or_null(value->deviation)},
          {"n", value->count},
          {"low", value->interval ? Json(value->interval->low) : Json()},
          {"high", value->interval ? Json(value->interval->high) : Json()}};
}

Json summarise_row(const TableRow& row, const std::vector<TestColumn>& columns) {
  Json run_ids = Json::array();
  for (const RunResult* run : row.runs) run_ids.push_back(run->run_id);
  Json failed_ids = Json::array();
  for (const RunResult* run : row.failed) failed_ids.push_back(run->run_id);
  Json summary = {{"strategy", row.label},
                  {"router", row.router},
                  {"experts", row.experts},
                  {"setting", row.setting},
                  {"runs", run_ids},
                  {"failed_runs", failed_ids},
                  {"undertrained", row.undertrained},
                  {"total_parameters", or_null(row.total_parameters)},
                  {"active_parameters", or_null(row.active_parameters)},
                  {"training_flops", estimate_json(row.training_flops)},
                  {"valid_bleu", estimate_json(row.valid_bleu)},
                  {"valid_loss", estimate_json(row.valid_loss)},
                  {"target_tokens_per_second", estimate_json(row.tokens_per_second)}};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& cell = row.scores[i];
    const std::string name = columns[i].set + "." + columns[i].direction;
    summary[name + ".bleu"] = cell ? estimate_json(cell->bleu) : Json();
    summary[name + ".chrf"] = cell ? estimate_json(cell->chrf) : Json();
  }
  return summary;
}

std::string csv_text(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return setting_text(value);
}

}  // namespace

Json summary_json(const ResultSet& results, const ReportData& data) {
  const ResultsTable& table = data.table;
  Json summary = {{"schema_version", summary_schema_version}, {"name", results.name},  {"axes", results.axes},
                  {"unfinished", results.missing()},          {"runs", Json::array()}, {"groups", Json::array()}};
  for (const RunResult& run : results.runs) summary["runs"].push_back(summarise_run(run, results.axes, table.columns));
  for (const TableRow& row : table.rows) summary["groups"].push_back(summarise_row(row, table.columns));
  summary["claims"] = claims_json(data.verdicts);
  return summary;
}

std::string summary_csv(const ResultSet& results, const ResultsTable& table) {
  TextTable text;
  for (const RunResult& run : results.runs) {
    const Json summary = summarise_run(run, results.axes, table.columns);
    text.header.clear();
    text.rows.emplace_back();
    for (const auto& [key, value] : summary.items()) {
      text.header.push_back(key);
      text.rows.back().push_back(csv_text(value));
    }
  }
  return to_csv(text);
}

}  // namespace moe
