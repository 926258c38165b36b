#include "harness/results/sentence_scores.h"

#include "core/error.h"
#include "core/files.h"
#include "core/temporary_folder.h"
#include "core/text.h"
#include "harness/results/routing_choices.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/errors.h"

#include <algorithm>

namespace moe {
namespace {

std::vector<SentenceScore> two_sentences() {
  std::vector<SentenceScore> sentences;
  for (const char* hypothesis : {"a man rides a horse", "two dogs run"}) {
    const std::string reference = "a man is riding a horse";
    sentences.push_back({12.3456785, 11.5, 7, bleu_statistics(hypothesis, {reference}, {}).summands(),
                         summands_of(chrf_statistics(hypothesis, {reference}, {}))});
  }
  return sentences;
}

}  // namespace

TEST_CASE("scores of sentences come back from their file") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "s.csv";
  write_sentence_scores(file, two_sentences());
  const std::vector<SentenceScore> read = read_sentence_scores(file);
  REQUIRE(read.size() == 2);
  CHECK(read[0].nats == Approx(12.3456785).margin(1e-6));
  CHECK(read[1].calibrated_nats == 11.5);
  CHECK(read[0].tokens == 7);
  CHECK(read[0].bleu == two_sentences()[0].bleu);
  CHECK(read[1].chrf == two_sentences()[1].chrf);
  // Five words of six, of which one is no match; the columns say what they hold.
  const std::vector<std::string> lines = split(read_file(file), '\n');
  const std::vector<std::string> names = split(lines[0], ','), values = split(lines[1], ',');
  const auto value = [&](const std::string& name) {
    const auto place = std::find(names.begin(), names.end(), name);
    REQUIRE(place != names.end());
    return values[static_cast<std::size_t>(place - names.begin())];
  };
  REQUIRE(names.size() == values.size());
  CHECK(value("tokens") == "7");
  CHECK(value("bleu_hypothesis_length") == "5");
  CHECK(value("bleu_reference_length") == "6");
  CHECK(value("bleu_match_1") == "4");
  CHECK(value("bleu_hypothesis_1") == "5");
  CHECK(value("bleu_hypothesis_4") == "2");
  CHECK(value("chrf_hypothesis_1") == "15");
  CHECK(value("chrf_reference_1") == "18");
}

TEST_CASE("a file of sentence scores that was cut or changed is named with its line") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "s.csv";
  write_sentence_scores(file, two_sentences());
  const std::string text = read_file(file);
  const auto sentence = [&](const std::string& changed) {
    write_file(file, changed);
    return error_of([&] { read_sentence_scores(file); });
  };
  CHECK_THAT(sentence(text.substr(0, text.size() - 9)), has_text("s.csv: is no file of sentence scores, or cut."));
  CHECK_THAT(sentence("a,b\n1,2\n"), has_text("s.csv: is no file of sentence scores"));
  CHECK_THAT(sentence(text + "x\n"), has_text("s.csv:4: expected a number at \"x\"."));
  CHECK_THAT(sentence(text + text.substr(text.find('\n') + 1, 8) + "\n"), has_text("s.csv:4: "));
}

TEST_CASE("choices of experts come back from their file, as far as they are kept") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "c.txt";
  RoutingChoices choices = {{0, 2, -1, 1}, {}, {}};
  choices[2].assign(most_kept_choices + 5, 3);
  write_routing_choices(file, choices);
  choices[2].resize(most_kept_choices);
  CHECK(read_routing_choices(file) == choices);
  write_file(file, "0 1\n0 x\n");
  CHECK_THAT(error_of([&] { read_routing_choices(file); }), has_text("c.txt:2: \"x\" is no choice of an expert."));
}

}  // namespace moe
