#include "training/train_log.h"

#include "core/error.h"
#include "core/files.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("a log is a JSON object a line, and its length is known") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "train.jsonl";
  TrainLog log(file, 0);
  log.write({{"update", 1}, {"loss", 0.5}});
  log.write({{"update", 2}});
  CHECK(log.flush() == 37);
  CHECK(read_file(file) == "{\"update\":1,\"loss\":0.5}\n{\"update\":2}\n");
}

TEST_CASE("what was written after the checkpoint is cut off when a run goes on") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "train.jsonl";
  write_file(file, "{\"a\":1}\n{\"a\":2}\n{\"a\":3");
  TrainLog log(file, 8);
  CHECK(log.flush() == 8);
  log.write({{"b", 2}});
  CHECK(log.flush() == 16);
  CHECK(read_file(file) == "{\"a\":1}\n{\"b\":2}\n");
}

TEST_CASE("a log that is shorter than the checkpoint says, or lost, goes on from what is there") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "train.jsonl";
  TrainLog lost(file, 100);
  CHECK(lost.flush() == 0);
  write_file(file, "{\"a\":1}\n");
  TrainLog shorter(file, 100);
  shorter.write({{"b", 2}});
  CHECK(shorter.flush() == 16);
  CHECK(read_file(file) == "{\"a\":1}\n{\"b\":2}\n");

  write_file(file, "{\"a\":1}\n{\"a\":");  // of the last line only a part
  TrainLog broken(file, 100);
  broken.write({{"b", 2}});
  CHECK(broken.flush() == 16);
  CHECK(read_file(file) == "{\"a\":1}\n{\"b\":2}\n");
}

TEST_CASE("a log that cannot be written is the machine's fault") {
  const TemporaryFolder folder;
  try {
    const TrainLog log(folder.path() / "none" / "train.jsonl", 0);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::machine_failed);
    CHECK(contains(error.what(), "train.jsonl: cannot be written."));
  }
}

}  // namespace moe
