#include "harness/score_command.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

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
  request.hypothesis = hypothesis;
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

TEST_CASE("JSON output has the fields of the door, in full precision", "[harness][score]") {
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

TEST_CASE("lines end at U+000A alone and the last needs no newline", "[harness][score]") {
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
  CHECK(error_of(request_for(three, two)) ==
        two.string() + ":3: ends after 2 lines, but " + three.string() + " has 3.");
  CHECK(error_of(request_for(two, three)) ==
        two.string() + ":3: ends after 2 lines, but " + three.string() + " has 3.");
}

TEST_CASE("empty and missing files are named", "[harness][score]") {
  const Folder folder;
  const auto line = folder.write("line", "a\n");
  const auto empty = folder.write("empty", "");
  CHECK(error_of(request_for(empty, line)) == empty.string() + ":1: the reference is empty.");
  CHECK(error_of(request_for(line, empty)).find("empty:1: ends after 0 lines") != std::string::npos);
  CHECK(error_of(request_for(line.string() + "missing", line)).find("linemissing") != std::string::npos);
}

TEST_CASE("unknown metrics and options name what there is", "[harness][score]") {
  ScoreRequest request = request_for("nowhere", "nowhere");
  request.metrics = {"ter"};
  CHECK(error_of(request) == "--metric ter: there is no such metric; there are bleu and chrf.");
  request.metrics = {"bleu"};
  request.tokenize = "zh";
  CHECK(error_of(request) == "There is no tokenizer \"zh\"; there are 13a and none.");
  request.references.clear();
  CHECK(error_of(request) == "score needs a --reference.");
}

}  // namespace moe
