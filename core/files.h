#pragma once
// Files read whole and written whole or not at all.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace moe {

/// The bytes of a file. Throws (request_wrong; machine_failed where a read fails) naming the path.
std::string read_file(const std::filesystem::path& path);

/// The bytes of a file without a copy of them: the system reads what is looked at. They stay what they are when the
/// file is replaced by renaming; where it is cut short in place or the disk fails, the system ends the process
/// (SIGBUS). Writing to them changes them for this object alone.
class MappedFile {
 public:
  /// Throws as read_file does when it opens the file.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  char* data() const { return data_; }
  std::string_view bytes() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A file that is written part by part, and takes the place of the one of its name when it is whole: a reader, or a
/// crash at any moment, sees the old content or the new. Makes missing parent folders. All throw (machine_failed).
class AtomicFileWriter {
 public:
  explicit AtomicFileWriter(std::filesystem::path path);
  /// What was not committed is gone.
  ~AtomicFileWriter();
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;

  void append(std::string_view bytes);
  /// Replaces bytes that were appended, from this offset on.
  void overwrite(std::uint64_t offset, std::string_view bytes);
  /// Flushes to the disk and renames.
  void commit();

 private:
  std::filesystem::path path_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// Removes what killed processes left of writing this file. For a caller who knows that nobody is writing it.
void remove_unfinished(const std::filesystem::path& path);

/// Replaces the file by `bytes`, as AtomicFileWriter does.
void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace moe
