#include "harness/run/run_folder.h"

#include "core/error.h"
#include "core/files.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("only a finished result finishes a run") {
  const TemporaryFolder temporary;
  const RunFolder folder{temporary.path()};
  CHECK_FALSE(folder.is_finished());
  write_file(folder.result(), R"({"status": "failed", "failure": "out of memory"})");
  CHECK_FALSE(folder.is_finished());
  write_file(folder.result(), R"({"status": "finished"})");
  CHECK(folder.is_finished());
}

TEST_CASE("a result that cannot be read is an error with its path, and never run over") {
  const TemporaryFolder temporary;
  const RunFolder folder{temporary.path()};
  for (const std::string text : {"{\"status\": \"fini", "[]", "{}"}) {
    write_file(folder.result(), text);
    INFO(text);
    try {
      folder.is_finished();
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(contains(error.what(), folder.result().string()));
    }
  }
}

TEST_CASE("a run's configuration comes back as it was written, and nothing else is taken for one") {
  const TemporaryFolder temporary;
  const RunFolder folder{temporary.path()};
  ConfigErrors errors;
  const RunSpec spec = read_run_spec({{"data", {{"source", "synthetic"}, {"directions", {"aa-ba"}}}},
                                      {"strategy", {{"router", "thor"}, {"experts", 3}}},
                                      {"training", {{"updates", 7}}}},
                                     {"thor"}, errors);
  REQUIRE(errors.empty());
  Json json = write_run_spec(spec);
  write_file(folder.config(), format_json(json));
  CHECK(write_run_spec(read_run_config(folder)) == json);
  json["training"]["steps"] = 3;
  write_file(folder.config(), format_json(json));
  CHECK_THROWS_AS(read_run_config(folder), Error);
}

TEST_CASE("every result starts as a failed one that names its run") {
  RunSpec spec;
  spec.training.seed = 4;
  const Json header = write_record(result_header(spec, "dense-de-en-s4-00000000", "0123456789abcdef", {}));
  CHECK(header.at("status") == "failed");
  CHECK(header.at("failure").is_null());
  CHECK(header.at("run_id") == "dense-de-en-s4-00000000");
  CHECK(header.at("seed") == 4);
  CHECK(header.at("strategy") == Json({{"router", "dense"}, {"label", "dense"}, {"experts", 1}}));
  CHECK(header.at("config") == write_run_spec(spec));
  CHECK(header.at("data_digest") == "0123456789abcdef");
}

}  // namespace moe
