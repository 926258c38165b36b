#include "core/files.h"

#include "core/error.h"
#include "core/host_name.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace moe {
namespace {

/// An open file descriptor, closed on every way out.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

/// write(part) for what is left of the bytes until nothing is: it may take less than it is given, as the system's calls
/// do.
template <class Write>
void write_all(std::string_view bytes, const std::string& path, Write write) {
  while (!bytes.empty()) {
    const ssize_t written = write(bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_system_error(path, "write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

Descriptor open_to_read(const std::filesystem::path& path) {
  MOE_CHECK(!std::filesystem::is_directory(path), "{}: is a folder, not a file.", path.string());
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  MOE_CHECK(descriptor >= 0, "{}: cannot be read; no such file, or no permission.", path.string());
  return Descriptor(descriptor);
}

constexpr std::string_view unfinished = ".part";  ///< in the name of a file that is not whole yet

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file = open_to_read(path);
  std::string content;
  std::array<char, 65536> bytes{};
  while (true) {
    const ssize_t count = ::read(file.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(path.string(), "read");
    if (count == 0) return content;
    content.append(bytes.data(), static_cast<std::size_t>(count));
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file = open_to_read(path);
  struct stat facts{};
  if (::fstat(file.number(), &facts) != 0) throw_system_error(path.string(), "read");
  size_ = static_cast<std::size_t>(facts.st_size);
  if (size_ == 0) return;
  void* const place =
      ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(), /*offset=*/0);
  if (place == MAP_FAILED) throw_system_error(path.string(), "read");
  data_ = static_cast<char*>(place);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

AtomicFileWriter::AtomicFileWriter(std::filesystem::path path)
    : path_(std::move(path)),
      temporary_(fmt::format("{}{}{}.{}", path_.string(), unfinished, ::getpid(), host_name())) {
  std::error_code failure;
  if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path(), failure);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw_system_error(path_.string(), "write");
}

AtomicFileWriter::~AtomicFileWriter() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFileWriter::append(std::string_view bytes) {
  write_all(bytes, path_.string(),
            [&](std::string_view part) { return ::write(descriptor_, part.data(), part.size()); });
}

void AtomicFileWriter::overwrite(std::uint64_t offset, std::string_view bytes) {
  write_all(bytes, path_.string(), [&](std::string_view part) {
    const auto done = static_cast<std::uint64_t>(part.data() - bytes.data());
    return ::pwrite(descriptor_, part.data(), part.size(), static_cast<off_t>(offset + done));
  });
}

void AtomicFileWriter::commit() {
  if (::fsync(descriptor_) != 0) throw_system_error(path_.string(), "flush");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_system_error(path_.string(), "rename");
  ::close(descriptor_);
  descriptor_ = -1;
}

void remove_unfinished(const std::filesystem::path& path) {
  std::error_code failure;  // where there is no such folder, nothing was left
  const std::string prefix = path.filename().string() + std::string(unfinished);
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), failure)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.find('.', prefix.size()) != std::string::npos) left.push_back(entry.path());
  }
  for (const auto& file : left) std::filesystem::remove(file, failure);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFileWriter file(path);
  file.append(bytes);
  file.commit();
}

}  // namespace moe
