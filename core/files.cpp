#include "core/files.h"

#include "core/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

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

void write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_system_error(path, "write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Processes of two machines may have one number, and write into one folder.
std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  MOE_CHECK(!std::filesystem::is_directory(path), "{}: is a folder, not a file.", path.string());
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  MOE_CHECK(file.number() >= 0, "{}: cannot be read; no such file, or no permission.", path.string());
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

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::error_code failure;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), failure);
  const std::string temporary = fmt::format("{}.part{}.{}", path.string(), ::getpid(), host_name());
  try {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.number() < 0) throw_system_error(path.string(), "write");
    write_all(file.number(), bytes, path.string());
    if (::fsync(file.number()) != 0) throw_system_error(path.string(), "flush");
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_system_error(path.string(), "rename");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace moe
