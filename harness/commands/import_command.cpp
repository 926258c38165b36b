#include "harness/commands/import_command.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/language_pair.h"
#include "harness/commands/line_files.h"
#include "harness/results/imported_run.h"
#include "harness/results/result_file.h"
#include "harness/results/result_set.h"
#include "harness/run/machine.h"
#include "harness/sweep/run_spec.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/table.h"

#include <iterator>
#include <ostream>

namespace moe {
namespace {

namespace fs = std::filesystem;

void check_text(const char* option, const std::string& text) {
  MOE_CHECK(!first_invalid_utf8(text), "{}: is not valid UTF-8.", option);
  MOE_CHECK(text.find_first_of("\n\r\t") == std::string::npos, "{}: expected one line.", option);
}

void check_import(const ImportRequest& request) {
  check_text("--name", request.label);
  check_text("--source", request.source);
  check_text("--set", request.set);
  MOE_CHECK(request.label.find_first_not_of(' ') != std::string::npos,
            "--name: is empty; it is what tables call the translations.");
  MOE_CHECK(parse_language_pair(request.direction), "--direction {}: expected SOURCE-TARGET, de-en for example.",
            request.direction);
  MOE_CHECK(!request.set.empty() && request.set.find('/') == std::string::npos,
            "--set \"{}\": expected the name of a test set, without a slash.", request.set);
  MOE_CHECK(!request.hypotheses.empty(), "import needs a --hypothesis.");
}

/// The label is new in the folder for this test set, and the reference as long as that of the runs that were scored on
/// the same set.
void check_folder(const ImportRequest& request, const LineFile& reference) {
  if (!fs::exists(request.out / "runs")) return;
  for (const RunResult& run : read_results({request.out}, {}).runs) {
    for (const TestScore& score : run.scores) {
      const bool same = score.set == request.set && score.direction == request.direction;
      MOE_CHECK(!same || !run.imported() || run.strategy.label != request.label,
                "--name {}: has translations of {} {} in {} already, {}; choose another name or remove that folder.",
                request.label, request.set, request.direction, request.out.string(), run.run_id);
      MOE_CHECK(!same || score.sentences == std::ssize(reference.lines),
                "{}: has {} lines, but {} was scored on {} sentences of {} {}.", reference.path.string(),
                reference.lines.size(), run.run_id, score.sentences, score.set, score.direction);
    }
  }
}

MetricScore one_score(double score, const char* metric) {
  return {score, 0, {score}, find_metric(metric).signature};
}

TestScore score_translations(const ImportRequest& request, const LineFile& reference, const LineFile& hypothesis) {
  const References references = {reference.lines};
  TestScore score;
  score.set = request.set;
  score.direction = request.direction;
  score.sentences = std::ssize(reference.lines);
  score.bleu = one_score(corpus_bleu(hypothesis.lines, references).score, "bleu");
  score.chrf = one_score(corpus_chrf(hypothesis.lines, references).score, "chrf");
  score.hypotheses = {fmt::format("hypotheses/{}.{}.txt", request.direction, request.set)};
  return score;
}

/// Nothing is known of how the other program was configured, and this machine has not trained it.
RunRecord imported_record(const ImportRequest& request, const LineFile& reference, const LineFile& hypothesis,
                          std::int64_t seed) {
  RunRecord record;
  record.status = "imported";
  record.strategy = {"imported", request.label, 1};
  record.seed = seed;
  for (const std::string& section : section_names()) record.config[section] = Json::object();
  record.semantics_version = semantics_version;
  record.imported_from = {request.source, digest_of_text(reference.lines)};
  if (request.parameters) record.parameters = {*request.parameters, *request.parameters};
  record.scores = {score_translations(request, reference, hypothesis)};
  record.run_id = imported_run_id(record, hypothesis.lines);
  record.measurements.started = utc_now();
  record.measurements.software = software_facts();
  return record;
}

}  // namespace

void run_import(const ImportRequest& request, std::ostream& out, std::ostream& notes) {
  check_import(request);
  std::set<std::string> remarks;
  const LineFile reference = read_line_file(request.reference, remarks);
  std::vector<LineFile> hypotheses;
  for (const fs::path& file : request.hypotheses) {
    hypotheses.push_back(read_line_file(file, remarks));
    check_line_counts(hypotheses.back(), reference);
  }
  check_folder(request, reference);
  std::vector<RunRecord> records;
  for (const LineFile& hypothesis : hypotheses) {
    records.push_back(imported_record(request, reference, hypothesis, std::ssize(records) + 1));
    const fs::path folder = request.out / "runs" / records.back().run_id;
    MOE_CHECK(!fs::exists(folder), "{}: is there already; remove it to import the translations again.",
              folder.string());
  }
  for (const std::string& remark : remarks) notes << remark << '\n';
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RunRecord& record = records[i];
    const fs::path folder = request.out / "runs" / record.run_id;
    const TestScore& score = record.scores.front();
    write_file(folder / score.hypotheses.front(), join(hypotheses[i].lines, "\n") + "\n");
    write_result(folder / "result.json", record);
    out << fmt::format("{}: BLEU {:.2f}, chrF {:.2f}\n", folder.string(), score.bleu.score, score.chrf.score);
  }
  out << fmt::format("`moe-bench report {}` shows {} beside its other rows.\n", request.out.string(), request.label);
}

}  // namespace moe
