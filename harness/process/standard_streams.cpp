#include "harness/process/standard_streams.h"

#include "core/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

namespace moe {
namespace {

[[noreturn]] void fail(const char* stream, int reason) {
  throw Error(fmt::format("{}: {}.", stream, std::strerror(reason)), ExitStatus::machine_failed);
}

}  // namespace

void occupy_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const bool closed = ::fcntl(stream, F_GETFD) < 0;
    if (closed) ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // the lowest number that is free
  }
}

StandardInput::int_type StandardInput::underflow() {
  ssize_t count = 0;
  do {
    count = ::read(STDIN_FILENO, bytes_.data(), bytes_.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) fail("standard input", errno);
  setg(bytes_.data(), bytes_.data(), bytes_.data() + count);
  return count == 0 ? traits_type::eof() : traits_type::to_int_type(bytes_.front());
}

StandardOutput::StandardOutput() : inner_(*std::cout.rdbuf(this)) {}

StandardOutput::~StandardOutput() {
  std::cout.rdbuf(&inner_);
}

void StandardOutput::finish() {
  sync();
  const int copy = ::dup(STDOUT_FILENO);
  if (copy >= 0) note(::close(copy) == 0);  // a file system over a network may tell of a full disk here
  if (reason_ != 0 && reason_ != EPIPE) fail("standard output", reason_);
}

StandardOutput::int_type StandardOutput::overflow(int_type byte) {
  if (traits_type::eq_int_type(byte, traits_type::eof())) return traits_type::not_eof(byte);
  const int_type written = inner_.sputc(traits_type::to_char_type(byte));
  note(!traits_type::eq_int_type(written, traits_type::eof()));
  return written;
}

std::streamsize StandardOutput::xsputn(const char* bytes, std::streamsize count) {
  const std::streamsize written = inner_.sputn(bytes, count);
  note(written == count);
  return written;
}

int StandardOutput::sync() {
  const int status = inner_.pubsync();
  note(status == 0);
  return status;
}

void StandardOutput::note(bool success) {
  if (!success && reason_ == 0) reason_ = errno;
}

}  // namespace moe
