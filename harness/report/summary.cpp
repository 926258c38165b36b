#include "harness/report/summary.h"

#include "core/error.h"
#include "harness/sweep/setting_names.h"

#include <algorithm>

namespace moe {
namespace {

constexpr int summary_schema_version = 1;

Json number(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

/// A member of an object that may be missing, or be no object at all.
Json member(const Json& object, const std::string& key) {
  return object.is_object() && object.contains(key) ? object[key] : Json();
}

void add_axes(Json& summary, const RunResult& run, const std::vector<std::string>& axes) {
  for (const std::string& axis : axes) {
    const bool listed = axis == "training.seed" || axis == "strategy.router" || axis == "strategy.experts";
    if (!listed) summary[axis] = member(run.settings, axis);
  }
}

void add_scores(Json& summary, const RunResult& run, const std::vector<TestColumn>& columns) {
  for (const TestColumn& column : columns) {
    const auto score = std::find_if(run.scores.begin(), run.scores.end(), [&](const TestScore& other) {
      return TestColumn{other.set, other.direction} == column;
    });
    const bool scored = score != run.scores.end();
    const std::string name = column.set + "." + column.direction;
    summary[name + ".bleu"] = scored ? Json(score->bleu) : Json();
    summary[name + ".bleu_draw_sd"] = scored && score->draws > 1 ? Json(score->bleu_spread) : Json();
    summary[name + ".chrf"] = scored ? Json(score->chrf) : Json();
    summary[name + ".chrf_draw_sd"] = scored && score->draws > 1 ? Json(score->chrf_spread) : Json();
    summary[name + ".loss"] = scored ? number(score->loss) : Json();
    summary[name + ".perplexity"] = scored ? number(score->perplexity) : Json();
  }
}

Json summarise_run(const RunResult& run, const std::vector<std::string>& axes, const std::vector<TestColumn>& columns) {
  const Validation last = run.curve.empty() ? Validation{} : run.curve.back();
  Json summary = {{"run_id", run.run_id},   {"status", run.finished ? "finished" : "failed"},
                  {"strategy", run.label},  {"router", run.router},
                  {"experts", run.experts}, {"seed", run.seed}};
  add_axes(summary, run, axes);
  summary["undertrained"] = run.finished ? Json(run.undertrained) : Json();
  summary["total_parameters"] = number(run.total_parameters);
  summary["active_parameters"] = number(run.active_parameters);
  summary["training_flops"] = number(run.training_flops);
  for (const char* key : {"updates", "epochs", "target_tokens", "stopped_by"}) summary[key] = member(run.training, key);
  summary["valid_loss"] = number(last.loss);
  summary["valid_perplexity"] = number(last.perplexity);
  summary["valid_bleu"] = number(last.bleu);
  add_scores(summary, run, columns);
  for (const char* key : {"target_tokens_per_second", "decoded_sentences_per_second", "peak_memory_bytes"}) {
    summary[key] = member(run.measurements, key);
  }
  summary["seconds"] = member(member(run.measurements, "seconds"), "total");
  summary["failure"] = run.finished ? Json() : Json(run.failure);
  return summary;
}

Json estimate_json(const std::optional<Estimate>& value) {
  if (!value) return nullptr;
  return {{"mean", value->mean},
          {"sd", number(value->deviation)},
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
                  {"total_parameters", number(row.total_parameters)},
                  {"active_parameters", number(row.active_parameters)},
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

Json summary_json(const ResultSet& results, const ResultsTable& table) {
  Json summary = {{"schema_version", summary_schema_version}, {"name", results.name},  {"axes", results.axes},
                  {"unfinished", results.unfinished},         {"runs", Json::array()}, {"groups", Json::array()}};
  for (const RunResult& run : results.runs) summary["runs"].push_back(summarise_run(run, results.axes, table.columns));
  for (const TableRow& row : table.rows) summary["groups"].push_back(summarise_row(row, table.columns));
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
