#include "core/files.h"

#include "core/error.h"
#include "core/temporary_folder.h"
#include "tests/support/catch.h"

#include <set>

namespace moe {
namespace {

namespace fs = std::filesystem;

TEST_CASE("write_file makes folders, replaces, and leaves nothing else") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "runs" / "a" / "result.json";
  write_file(file, "first");
  const std::string bytes("second\0\n\xFF", 9);
  write_file(file, bytes);
  CHECK(read_file(file) == bytes);
  CHECK(std::distance(fs::directory_iterator(file.parent_path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a reader with the old file open keeps the old content") {  // replaced by renaming, not overwritten
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "x";
  write_file(file, "old");
  fs::create_hard_link(file, folder.path() / "kept");
  write_file(file, "new");
  CHECK(read_file(folder.path() / "kept") == "old");
  CHECK(read_file(file) == "new");
}

TEST_CASE("a failed write keeps the old file and says what the system said") {
  const TemporaryFolder folder;
  write_file(folder.path() / "file", "kept");
  try {
    write_file(folder.path() / "file" / "below", "x");  // a file stands where a folder is needed
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::machine_failed);
    CHECK(std::string(error.what()).find("below: cannot write: Not a directory.") != std::string::npos);
  }
  CHECK(read_file(folder.path() / "file") == "kept");
}

TEST_CASE("a file that is written in parts is seen when it is whole, or never") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "new folder" / "x";
  {
    AtomicFileWriter replacement(file);
    replacement.append("never");
    CHECK_FALSE(fs::exists(file));
  }
  CHECK(fs::is_empty(file.parent_path()));
  AtomicFileWriter replacement(file);
  replacement.append("one ???");
  replacement.overwrite(4, "two");
  replacement.append(" three");
  CHECK_FALSE(fs::exists(file));
  replacement.commit();
  CHECK(read_file(file) == "one two three");
}

TEST_CASE("what killed processes left of a file goes, and nothing else") {
  const TemporaryFolder folder;
  for (const std::string name : {"x", "x.part12.there", "x.part7.here", "y.part12.there", "x.parts"}) {
    write_file(folder.path() / name, name);
  }
  remove_unfinished(folder.path() / "x");
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path())) left.insert(entry.path().filename().string());
  CHECK(left == std::set<std::string>{"x", "x.parts", "y.part12.there"});
  remove_unfinished(folder.path() / "no folder" / "x");
}

TEST_CASE("a mapped file has the bytes of when it was opened, and keeps what is written to it to itself") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "x";
  write_file(file, "old");
  const MappedFile mapped(file);
  write_file(file, "newer");
  CHECK(mapped.bytes() == "old");
  const MappedFile other(file);
  other.data()[0] = 'f';
  CHECK(other.bytes() == "fewer");
  CHECK(read_file(file) == "newer");
  write_file(file, "");
  CHECK(MappedFile(file).bytes().empty());
  CHECK_THROWS_AS(MappedFile(folder.path()), Error);
  CHECK_THROWS_AS(MappedFile(folder.path() / "nothing"), Error);
}

TEST_CASE("read_file names what it cannot read") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(read_file(folder.path() / "nothing"), Error);
  CHECK_THROWS_AS(read_file(folder.path()), Error);
}

TEST_CASE("a read that fails is told, not taken for the end of the file") {
  try {
    read_file("/proc/self/mem");  // nothing is mapped at the address 0
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::machine_failed);
    CHECK(std::string(error.what()) == "/proc/self/mem: cannot read: Input/output error.");
  }
}

}  // namespace
}  // namespace moe
