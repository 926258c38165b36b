#include "harness/commands/score_command.h"

#include "core/error.h"
#include "core/json.h"
#include "harness/commands/line_files.h"
#include "harness/report/tables/text_table.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <functional>
#include <iostream>
#include <set>

namespace moe {
namespace {

using Lines = std::vector<std::string>;

/// What is said beside a score.
struct Details {
  Json json = Json::object();
  std::string text;  ///< behind the score on its line
};

/// A metric with its options. Everything is made from what single sentences add to the sum.
struct Metric {
  std::string name;       ///< as --metric and JSON call it
  std::string title;      ///< as sacreBLEU prints it
  std::string signature;  ///< without a paired test
  std::function<Summands(const std::string& hypothesis, const Lines& references)> summands;
  ScoreOfSum score;
  std::function<Details(const Summands& sum)> details;
};

BleuOptions bleu_options(const ScoreRequest& request) {
  return {request.lowercase, tokenizer_named(request.tokenize), smoothing_named(request.smooth), request.smooth_value,
          request.sentence_level};
}

/// Whole numbers stay whole: only add-k with a fraction makes counts of n-grams that are none.
Json counts_json(const std::array<double, bleu_order>& counts) {
  Json array = Json::array();
  for (const double count : counts) {
    if (count == std::floor(count)) {
      array.push_back(static_cast<std::int64_t>(count));
    } else {
      array.push_back(count);
    }
  }
  return array;
}

Details details_of(const BleuScore& bleu) {
  const double ratio = bleu.reference_length == 0
                           ? 0
                           : static_cast<double>(bleu.system_length) / static_cast<double>(bleu.reference_length);
  return {{{"brevity_penalty", bleu.brevity_penalty},
           {"system_length", bleu.system_length},
           {"reference_length", bleu.reference_length},
           {"counts", counts_json(bleu.smoothed_counts)},
           {"totals", counts_json(bleu.smoothed_totals)}},
          fmt::format(" {:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})", fmt::join(bleu.precisions, "/"),
                      bleu.brevity_penalty, ratio, bleu.system_length, bleu.reference_length)};
}

Metric bleu_metric(const ScoreRequest& request) {
  const BleuOptions options = bleu_options(request);
  return {"bleu",
          "BLEU",
          bleu_signature(options, request.references.size()),
          [options](const std::string& hypothesis, const Lines& references) {
            return bleu_statistics(hypothesis, references, options).summands();
          },
          [options](const Summands& sum) { return score_bleu(BleuStatistics::of(sum), options).score; },
          [options](const Summands& sum) { return details_of(score_bleu(BleuStatistics::of(sum), options)); }};
}

Metric chrf_metric(const ScoreRequest& request) {
  ChrfOptions options;
  options.lowercase = request.lowercase;
  options.word_order = request.word_order;
  return {"chrf",
          chrf_name(options),
          chrf_signature(options, request.references.size()),
          [options](const std::string& hypothesis, const Lines& references) {
            return summands_of(chrf_statistics(hypothesis, references, options));
          },
          [options](const Summands& sum) { return score_chrf(chrf_statistics_of(sum), options.beta); },
          [](const Summands&) { return Details{}; }};
}

Metric metric_named(const std::string& name, const ScoreRequest& request) {
  MOE_CHECK(name == "bleu" || name == "chrf", "--metric {}: there is no such metric; there are bleu and chrf.", name);
  Metric metric = name == "bleu" ? bleu_metric(request) : chrf_metric(request);
  if (request.paired) metric.signature = signature_with(metric.signature, *request.paired);
  return metric;
}

SystemSummands all_summands(const Metric& metric, const Lines& hypotheses, const References& references) {
  SystemSummands rows;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    rows.push_back(metric.summands(hypotheses[i], references_of(references, i)));
  }
  return rows;
}

void check_request(const ScoreRequest& request) {
  MOE_CHECK(!request.references.empty(), "score needs a --reference.");
  MOE_CHECK(!request.hypotheses.empty(), "score needs a file of translations.");
  MOE_CHECK(!request.metrics.empty(), "score needs a --metric.");
  const BleuSmoothing smooth = bleu_options(request).smooth;  // a wrong name is reported before any file is read
  if (request.smooth_value) {
    MOE_CHECK(smooth == BleuSmoothing::floor || smooth == BleuSmoothing::add_k,
              "--smooth-value belongs to --smooth floor or add-k, not to {}.", request.smooth);
    MOE_CHECK(std::isfinite(*request.smooth_value) && *request.smooth_value >= 0,
              "--smooth-value must be at least 0, not {}.", *request.smooth_value);
  }
  const std::size_t systems = request.hypotheses.size();
  MOE_CHECK(!request.sentence_level || systems == 1,
            "--sentence-level takes the translations of one system, not of {}.", systems);
  MOE_CHECK(!request.paired || systems > 1, "A paired test needs the translations of two systems or more.");
}

Json entry_of(const Metric& metric, const Summands& sum) {
  Json entry = {{"metric", metric.name}, {"score", metric.score(sum)}, {"signature", metric.signature}};
  entry.update(metric.details(sum).json);
  return entry;
}

/// What is written in the end, in both forms.
struct Output {
  Json results = Json::array();
  std::string text;
};

/// The file as a whole, or each of its lines.
Output score_system(const ScoreRequest& request, const std::vector<Metric>& metrics, const LineFile& system,
                    const References& references) {
  Output output;
  for (const Metric& metric : metrics) {
    SystemSummands rows = all_summands(metric, system.lines, references);
    if (!request.sentence_level) rows = {sum_of(rows)};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Json entry = entry_of(metric, rows[i]);
      if (request.sentence_level) entry["line"] = i + 1;
      output.results.push_back(entry);
      output.text += fmt::format("{}|{} = {:.2f}{}\n", metric.title, metric.signature, metric.score(rows[i]),
                                 metric.details(rows[i]).text);
    }
  }
  return output;
}

/// One metric's score of each system, with the test where one is asked for.
std::vector<PairedResult> compare(const ScoreRequest& request, const Metric& metric,
                                  const std::vector<SystemSummands>& systems) {
  if (request.paired) return paired_test(systems, metric.score, *request.paired);
  std::vector<PairedResult> results;
  for (const SystemSummands& system : systems) results.push_back({metric.score(sum_of(system)), {}, {}});
  return results;
}

/// "33.12 (33.10 ± 1.20) (p = 0.0123)*", with a star from the level of 5 % on.
std::string cell_of(const PairedResult& result) {
  std::string cell = fmt::format("{:.2f}", result.score);
  if (result.spread) cell += fmt::format(" ({:.2f} ± {:.2f})", result.spread->mean, result.spread->half_width);
  if (result.p_value) cell += fmt::format(" (p = {:.4f}){}", *result.p_value, *result.p_value > 0.05 ? "" : "*");
  return cell;
}

void add_test(Json& entry, const PairedResult& result) {
  entry["mean"] = result.spread ? Json(result.spread->mean) : Json();
  entry["ci"] = result.spread ? Json(result.spread->half_width) : Json();
  entry["p_value"] = result.p_value ? Json(*result.p_value) : Json();
}

Output score_systems(const ScoreRequest& request, const std::vector<Metric>& metrics,
                     const std::vector<LineFile>& systems, const References& references) {
  Output output;
  TextTable table{{"System"}, {false}, {}};
  for (const LineFile& system : systems) table.rows.push_back({system.path.string()});
  std::string signatures;
  for (const Metric& metric : metrics) {
    std::vector<SystemSummands> summands;
    for (const LineFile& system : systems) summands.push_back(all_summands(metric, system.lines, references));
    const std::vector<PairedResult> results = compare(request, metric, summands);
    const bool has_spread = results.front().spread.has_value();
    table.header.push_back(metric.title + (has_spread ? " (μ ± 95% CI)" : ""));
    table.numeric.push_back(false);
    for (std::size_t i = 0; i < systems.size(); ++i) {
      Json entry = entry_of(metric, sum_of(summands[i]));
      entry["system"] = systems[i].path.string();
      if (request.paired) add_test(entry, results[i]);
      output.results.push_back(entry);
      table.rows[i].push_back(cell_of(results[i]));
    }
    signatures += fmt::format("{}|{}\n", metric.title, metric.signature);
  }
  output.text = to_markdown(table) + "\n" + signatures;
  return output;
}

}  // namespace

void run_score(const ScoreRequest& request, std::ostream& out) {
  check_request(request);
  std::vector<Metric> metrics;
  for (const std::string& name : request.metrics) metrics.push_back(metric_named(name, request));

  std::vector<LineFile> systems;
  std::set<std::string> notes;
  for (const std::filesystem::path& path : request.hypotheses) systems.push_back(read_line_file(path, notes));
  References references;
  for (const std::filesystem::path& path : request.references) {
    LineFile reference = read_line_file(path, notes);
    for (const LineFile& system : systems) check_line_counts(system, reference);
    references.push_back(std::move(reference.lines));
  }
  for (const std::string& note : notes) std::cerr << note << '\n';

  const Output output = systems.size() == 1 ? score_system(request, metrics, systems.front(), references)
                                            : score_systems(request, metrics, systems, references);
  if (request.json) {
    out << format_json({{"results", output.results}});
  } else {
    out << output.text;
  }
}

}  // namespace moe
