// BLEU on the test sets against how much there was to train on.

#include "harness/report/charts/axis_lines.h"

namespace moe {
namespace {

constexpr const char* share_key = "data.train_share";
constexpr const char* sentences_key = "data.synthetic.train_sentences";

std::optional<double> number_at(const TableRow& row, const char* key) {
  const Json& settings = row.runs.front()->settings;
  const auto value = settings.find(key);
  return value != settings.end() && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
}

/// Of a text the share that is trained on, of made-up languages the number of sentences.
std::optional<double> amount_of_data(const TableRow& row) {
  const Json& settings = row.runs.front()->settings;
  const bool made_up = settings.value("data.source", std::string()) == "synthetic";
  return made_up ? number_at(row, sentences_key) : number_at(row, share_key);
}

}  // namespace

Chart corpus_size_chart() {
  return axis_lines_chart({.name = "corpus_size",
                           .title = "amount of training data",
                           .value = amount_of_data,
                           .keys = {share_key, sentences_key},
                           .largest = true,
                           .caption =
                               "The share of the training text, or the number of sentences of made-up languages. "
                               "The BLEU axis does not start at zero."});
}

}  // namespace moe
