#include "harness/commands/score_command.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/temporary_folder.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <sstream>

namespace moe {
namespace {

/// A folder of files that goes away with its test.
class Folder {
 public:
  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    write_file(folder_.path() / name, bytes);
    return folder_.path() / name;
  }

 private:
  TemporaryFolder folder_;
};

std::string output_of(const ScoreRequest& request) {
  std::ostringstream out;
  run_score(request, out);
  return out.str();
}

/// The sentence and the status that a wrong request ends with.
std::string error_of(const ScoreRequest& request) {
  try {
    output_of(request);
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::request_wrong);
    return error.what();
  }
  return "no error";
}

ScoreRequest request_for(const std::filesystem::path& reference, const std::filesystem::path& hypothesis) {
  ScoreRequest request;
  request.references = {reference};
  request.hypotheses = {hypothesis};
  return request;
}

}  // namespace

TEST_CASE("plain output is one line for each metric", "[harness][score]") {
  const Folder folder;
  const ScoreRequest request = request_for(folder.write("ref", "a b x d e f g\n"), folder.write("hyp", "a b c d e\n"));
  // Both lines are those of sacreBLEU 2.6.0: BLEU() and CHRF(), .corpus_score([hyp], [[ref]]).format(signature=...).
  CHECK(output_of(request) ==
        "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 20.25 80.0/50.0/16.7/12.5 "
        "(BP = 0.670 ratio = 0.714 hyp_len = 5 ref_len = 7)\n"
        "chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0 = 19.27\n");
}

TEST_CASE("JSON output has all fields, in full precision", "[harness][score]") {
  const Folder folder;
  ScoreRequest request = request_for(folder.write("ref", "a b x d e f g\n"), folder.write("hyp", "a b c d e\n"));
  request.json = true;
  request.metrics = {"chrf", "bleu"};
  const Json results = parse_json(output_of(request), "output").at("results");
  REQUIRE(results.size() == 2);
  CHECK(results[0].size() == 3);
  CHECK(results[0].at("metric") == "chrf");
  const Json& bleu = results[1];
  CHECK(bleu.size() == 8);
  CHECK(bleu.at("metric") == "bleu");
  CHECK(bleu.at("score").get<double>() == Approx(20.252884954471366).margin(1e-12));
  CHECK(bleu.at("signature") == "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  CHECK(bleu.at("brevity_penalty").get<double>() == Approx(0.6703200460356393));
  CHECK(bleu.at("system_length") == 5);
  CHECK(bleu.at("reference_length") == 7);
  CHECK(bleu.at("counts") == Json({4, 2, 0, 0}));
  CHECK(bleu.at("totals") == Json({5, 4, 3, 2}));
}

TEST_CASE("options reach the metrics", "[harness][score]") {
  const Folder folder;
  ScoreRequest request = request_for(folder.write("ref", "A b c d.\n"), folder.write("hyp", "a b c d.\n"));
  request.references.push_back(folder.write("ref2", "x\n"));
  request.lowercase = true;
  request.tokenize = "none";
  request.smooth = "none";
  request.word_order = 2;
  CHECK(output_of(request) ==
        "BLEU|nrefs:2|case:lc|eff:no|tok:none|smooth:none|version:2.6.0 = 100.00 100.0/100.0/100.0/100.0 "
        "(BP = 1.000 ratio = 1.000 hyp_len = 4 ref_len = 4)\n"
        "chrF2++|nrefs:2|case:lc|eff:yes|nc:6|nw:2|space:no|version:2.6.0 = 100.00\n");
}

TEST_CASE("smoothing takes a value; add-k is counted in", "[harness][score]") {
  const Folder folder;
  ScoreRequest request = request_for(folder.write("ref", "a b x d e f g\n"), folder.write("hyp", "a b c d e\n"));
  request.metrics = {"bleu"};
  request.smooth = "add-k";
  request.json = true;
  Json bleu = parse_json(output_of(request), "output").at("results").at(0);
  CHECK(bleu.at("signature") == "nrefs:1|case:mixed|eff:no|tok:13a|smooth:add-k[1.00]|version:2.6.0");
  CHECK(bleu.at("counts") == Json({4, 3, 1, 1}));
  CHECK(bleu.at("totals") == Json({5, 5, 4, 3}));
  CHECK(bleu.at("counts").at(0).is_number_integer());
  request.smooth_value = 0.5;
  bleu = parse_json(output_of(request), "output").at("results").at(0);
  CHECK(bleu.at("counts") == Json({4, 2.5, 0.5, 0.5}));
}

TEST_CASE("each sentence is scored by itself", "[harness][score]") {
  const Folder folder;
  ScoreRequest request = request_for(folder.write("ref", "a b c\na c\n"), folder.write("hyp", "a b c\na b\n"));
  request.sentence_level = true;
  request.metrics = {"bleu"};
  const std::string signature = "BLEU|nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:2.6.0 = ";
  CHECK(output_of(request) ==
        signature + "100.00 100.0/100.0/100.0/0.0 (BP = 1.000 ratio = 1.000 hyp_len = 3 ref_len = 3)\n" + signature +
            "50.00 50.0/50.0/0.0/0.0 (BP = 1.000 ratio = 1.000 hyp_len = 2 ref_len = 2)\n");
  request.json = true;
  request.metrics = {"chrf", "bleu"};
  const Json results = parse_json(output_of(request), "output").at("results");
  REQUIRE(results.size() == 4);
  CHECK(results[1].at("metric") == "chrf");
  CHECK(results[1].at("line") == 2);
  CHECK(results[3].at("metric") == "bleu");
  CHECK(results[3].at("line") == 2);
  CHECK(results[3].at("score").get<double>() == Approx(50));
}

TEST_CASE("several systems make a table, and signatures below it", "[harness][score]") {
  const Folder folder;
  ScoreRequest request = request_for(folder.write("ref", "a b c d\nx\n"), folder.write("one", "a b c d\nx\n"));
  request.hypotheses.push_back(folder.write("two", "a b c d\ny\n"));
  request.metrics = {"bleu"};
  const std::string text = output_of(request);
  CHECK(text.find("| System ") == 0);
  CHECK(text.find("one | 100.00 |\n") != std::string::npos);
  CHECK(text.find("two | 94.57  |\n") != std::string::npos);  // 4 of 5 words: the fourth root of 0.8
  CHECK(text.find("\nBLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0\n") != std::string::npos);
}

TEST_CASE("a paired test compares systems with the first", "[harness][score]") {
  const Folder folder;
  ScoreRequest request = request_for(folder.write("ref", "a b c d\nx\n"), folder.write("one", "a b c d\nx\n"));
  request.hypotheses.push_back(folder.write("two", "a b c d\nx\n"));
  request.metrics = {"bleu"};
  request.paired = PairedOptions{PairedTest::randomisation, 99};
  CHECK(output_of(request).find("two | 100.00 (p = 0.0100)* |\n") != std::string::npos);
  request.paired->test = PairedTest::bootstrap;
  CHECK(output_of(request).find("| BLEU (μ ± 95% CI) ") != std::string::npos);
  request.json = true;
  const Json results = parse_json(output_of(request), "output").at("results");
  REQUIRE(results.size() == 2);
  CHECK(results[0].at("system").get<std::string>().ends_with("one"));
  CHECK(results[0].at("p_value").is_null());
  CHECK(results[1].at("p_value").get<double>() == Approx(0.01));
  CHECK(results[1].at("ci").get<double>() > 0);  // two copies of "x" alone score 0
  CHECK(results[1].at("signature") == "nrefs:1|bs:99|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
}

TEST_CASE("the program tells references from systems and reads the test's options", "[harness][score]") {
  const Folder folder;
  const std::string reference = folder.write("ref", "a b c d\n");
  const std::string system = folder.write("one", "a b c d\n");
  const Ended ended = Program({"score", "--metric", "chrf", "--reference", reference, system, system, "--paired-ar",
                               "--paired-ar-n", "9", "--seed", "7"})
                          .wait();
  CHECK(ended.status == 0);
  CHECK(ended.output.find("| 100.00 (p = 0.1000) |") != std::string::npos);
  CHECK(ended.output.find("chrF2|nrefs:1|ar:9|seed:7|case:mixed") != std::string::npos);
}

TEST_CASE("Windows line ends and byte order marks do not count, and are noted once for each file", "[harness][score]") {
  const Folder folder;
  const std::string reference = folder.write("ref", "a b c d e\na b c d e\n");
  const std::string plain = folder.write("plain", "a b c d x\na b c d x\n");
  const std::string windows = folder.write("windows",
                                           "\xEF\xBB\xBF"
                                           "a b c d x\r\na b c d x\r\n");
  const Ended expected = run_program({"score", "--tokenize", "none", "--reference", reference, plain});
  const Ended ended = run_program({"score", "--tokenize", "none", "--reference", reference, windows});
  CHECK(expected.error.empty());
  CHECK(ended.status == 0);
  CHECK(ended.output == expected.output);
  CHECK(names(ended.error, {windows + ": ", "byte order mark", "carriage returns"}));
  CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
  CHECK(run_program({"score", "--reference", windows, windows, windows}).error == ended.error);

  const std::string mac = folder.write("mac", "a b c d x\ra b c d x\r");
  const Ended refused = run_program({"score", "--reference", reference, mac});
  CHECK(refused.status == 2);
  CHECK(names(refused.error, {mac + ": ", "U+000D", "U+000A"}));
}

TEST_CASE("numbers of the options are refused with what is allowed", "[harness][score]") {
  const Folder folder;
  const std::string file = folder.write("ref", "a b c d\n");
  const auto error_with = [&](const std::string& option, const std::string& value) {
    const Ended ended = Program({"score", "--reference", file, file, file, "--paired-bs", option, value}).wait();
    CHECK(ended.status == (ended.error.empty() ? 0 : 2));
    return ended.error.substr(0, ended.error.find('\n'));
  };
  const std::string seeds = "0 to 9223372036854775807";
  CHECK(names(error_with("--seed", "-1"), {"--seed: found \"-1\"", seeds}));
  CHECK(names(error_with("--seed", "9223372036854775808"), {"--seed: found \"9223372036854775808\"", seeds}));
  CHECK(error_with("--seed", "9223372036854775807").empty());
  CHECK(error_with("--seed", "0").empty());
  for (const std::string option : {"--paired-bs-n", "--paired-ar-n"}) {
    for (const std::string value : {"0", "-5", "1e3", "nan", "1000000000000"}) {
      CHECK(names(error_with(option, value), {option + ": found \"" + value + "\"", "1 to 10000000"}));
    }
  }
  CHECK(error_with("--smooth-value", "nan").starts_with("--smooth-value "));
}

TEST_CASE("no other character ends a line, and the last needs no newline", "[harness][score]") {
  const Folder folder;
  const auto hypothesis = folder.write("hyp", "a\r\nb\u2028c\x0b\x85\n");
  CHECK(error_of(request_for(folder.write("ref", "a\nb"), hypothesis)).find("hyp:2: is not valid UTF-8") !=
        std::string::npos);
  CHECK_NOTHROW(output_of(request_for(folder.write("ref", "a\nb"), folder.write("hyp", "a\r\nb\u2028c\x0b\n"))));
  CHECK_NOTHROW(output_of(request_for(folder.write("ref", "\n"), folder.write("hyp", "\n"))));
}

TEST_CASE("unequal numbers of lines name the shorter file and its end", "[harness][score]") {
  const Folder folder;
  const auto two = folder.write("two", "a\nb\n");
  const auto three = folder.write("three", "a\nb\nc\n");
  CHECK(names(error_of(request_for(three, two)), {two.string() + ":3: ", "2 lines", three.string() + " has 3"}));
  CHECK(names(error_of(request_for(two, three)), {two.string() + ":3: ", "2 lines", three.string() + " has 3"}));
}

TEST_CASE("empty and missing files are named", "[harness][score]") {
  const Folder folder;
  const auto line = folder.write("line", "a\n");
  const auto empty = folder.write("empty", "");
  CHECK(names(error_of(request_for(empty, line)), {empty.string() + ":1: ", "empty"}));
  CHECK(error_of(request_for(line, empty)).find("empty:1: ends after 0 lines") != std::string::npos);
  CHECK(error_of(request_for(line.string() + "missing", line)).find("linemissing") != std::string::npos);
}

TEST_CASE("unknown metrics and options name what there is", "[harness][score]") {
  ScoreRequest request = request_for("nowhere", "nowhere");
  request.metrics = {"ter"};
  CHECK(names(error_of(request), {"--metric ter: ", "bleu and chrf"}));
  request.metrics = {"bleu"};
  request.tokenize = "zh";
  CHECK(names(error_of(request), {"There is no tokenizer \"zh\"", "13a, intl, char and none"}));
  request.tokenize = "13a";
  request.smooth = "add";
  CHECK(names(error_of(request), {"There is no smoothing \"add\"", "exp, floor, add-k and none"}));
  request.references.clear();
  CHECK(error_of(request) == "score needs a --reference.");
}

TEST_CASE("options that do not go together are named", "[harness][score]") {
  ScoreRequest request = request_for("nowhere", "nowhere");
  request.smooth_value = 0.5;
  CHECK(error_of(request) == "--smooth-value belongs to --smooth floor or add-k, not to exp.");
  request.smooth = "floor";
  request.smooth_value = -1;
  CHECK(error_of(request) == "--smooth-value must be at least 0, not -1.");
  request.smooth_value = 0.5;
  request.paired = PairedOptions{};
  CHECK(error_of(request) == "A paired test needs the translations of two systems or more.");
  request.hypotheses.emplace_back("elsewhere");
  request.sentence_level = true;
  CHECK(error_of(request) == "--sentence-level takes the translations of one system, not of 2.");
}

}  // namespace moe
