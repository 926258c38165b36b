#include "harness/commands/translate_command.h"

#include "core/error.h"
#include "core/text.h"
#include "core/text_lines.h"
#include "data/language_pair.h"
#include "decoding/beam_search.h"
#include "harness/run/device.h"
#include "harness/run/run_folder.h"
#include "harness/run/trained_model.h"
#include "metrics/unicode.h"
#include "routers/registry.h"

#include <c10/core/Device.h>

#include <algorithm>
#include <istream>
#include <iterator>

namespace moe {
namespace {

std::int64_t find_direction(const std::vector<std::string>& directions, const std::string& name) {
  const auto found = std::find(directions.begin(), directions.end(), name);
  MOE_CHECK(found != directions.end(), "--direction {}: the run knows {}.", name, join(directions, ", "));
  return found - directions.begin();
}

void override_inference(RunSpec& spec, const std::string& inference) {
  Json& options = spec.strategy.options;
  MOE_CHECK(options.contains("inference"), "--inference: the router \"{}\" has one way to evaluate.",
            spec.strategy.router);
  options["inference"] = inference;
  ConfigErrors errors;
  find_router(spec.strategy.router).resolve(options, "", errors);
  errors.throw_if_any("--inference");
}

BeamOptions requested_options(const TranslateRequest& request, const RunSpec& spec) {
  BeamOptions options = beam_options(spec.evaluation, spec.training.tokens_per_batch);
  options.beam = request.beam.value_or(options.beam);
  options.length_penalty = request.length_penalty.value_or(options.length_penalty);
  options.max_length_ratio = request.max_length_ratio.value_or(options.max_length_ratio);
  options.max_length_constant = request.max_length_constant.value_or(options.max_length_constant);
  return options;
}

/// The lines of standard input that have words, as sentences of one direction, numbered like the lines from 0.
EncodedSet encode_lines(const std::vector<std::string>& lines, const Tokenizer& tokenizer, const Corpus& shape,
                        std::int64_t direction) {
  EncodedSet set;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::optional<std::size_t> invalid = first_invalid_utf8(lines[i]);
    MOE_CHECK(!invalid, "standard input:{}: invalid UTF-8 at byte {} of the line.", i + 1, *invalid + 1);
    if (split_words(lines[i]).empty()) continue;
    EncodedPair pair{{}, {end_id}, {}, direction, static_cast<std::int64_t>(i)};
    if (needs_target_tag(shape.directions)) {
      pair.source.push_back(tokenizer.target_tag(shape.directions[static_cast<std::size_t>(direction)].target));
    }
    const auto ids = tokenizer.encode(lines[i]);
    pair.source.insert(pair.source.end(), ids.begin(), ids.end());
    pair.source.push_back(end_id);
    set.push_back(std::move(pair));
  }
  return set;
}

Corpus directions_only(const std::vector<std::string>& names) {
  Corpus corpus;
  corpus.directions = parse_language_pairs(names);
  return corpus;
}

void note_cut(const std::vector<Translation>& translations, std::ostream& notes) {
  const auto cut = std::count_if(translations.begin(), translations.end(), [](const Translation& t) { return t.cut; });
  if (cut == 0) return;
  notes << fmt::format(
      "{} of {} translations reached the length limit and were cut; --max-length-ratio and --max-length-constant raise "
      "it.\n",
      cut, translations.size());
}

}  // namespace

void run_translate(const TranslateRequest& request, std::istream& in, std::ostream& out, std::ostream& notes) {
  const RunFolder folder{request.run_folder};
  require_checkpoint(folder);
  const c10::Device device = open_device(request.device);
  RunSpec spec = read_run_config(folder);
  const std::int64_t direction = find_direction(spec.data.directions, request.direction);
  if (request.inference) override_inference(spec, *request.inference);
  const Tokenizer tokenizer(folder.vocabulary());
  const std::shared_ptr<Transformer> model = load_trained_model(folder, spec, tokenizer.vocabulary_size(), device);
  const TextLines text = split_lines(std::string{std::istreambuf_iterator<char>(in), {}}, "standard input");
  if (!text.note.empty()) notes << text.note << '\n';
  if (text.lines.empty()) return;
  const EncodedSet set = encode_lines(text.lines, tokenizer, directions_only(spec.data.directions), direction);
  const std::vector<Translation> translations = translate(*model, set, requested_options(request, spec), device);
  std::vector<std::string> lines(text.lines.size());
  for (std::size_t i = 0; i < set.size(); ++i) {
    lines[static_cast<std::size_t>(set[i].sentence)] = tokenizer.decode(translations[i].ids);
  }
  for (const std::string& line : lines) out << line << "\n";
  note_cut(translations, notes);
}

}  // namespace moe
