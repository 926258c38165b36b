#pragma once
// Standard input and output whose failures are told: of a failed read std::cin says no more than of an end, and of a
// failed write nobody asks std::cout.

#include <array>
#include <streambuf>

namespace moe {

/// Takes the descriptors of standard streams that the caller has closed, so that no file is opened under them and gets
/// what is written to the stream. Reading and writing them fails as before.
void occupy_closed_streams();

/// Standard input. A read that fails throws Error (machine_failed); whoever reads through an istream's own functions
/// finds badbit instead.
class StandardInput : public std::streambuf {
 protected:
  int_type underflow() override;

 private:
  std::array<char, 65536> bytes_{};
};

/// Stands before the buffer of std::cout while it lives and keeps why the first write failed.
class StandardOutput : public std::streambuf {
 public:
  StandardOutput();
  ~StandardOutput() override;
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;

  /// Call it when all is written. Throws Error (machine_failed) when some of it did not arrive. A reader that closed
  /// its pipe has had what it wanted.
  void finish();

 protected:
  int_type overflow(int_type byte) override;
  std::streamsize xsputn(const char* bytes, std::streamsize count) override;
  int sync() override;

 private:
  /// Notes what the system said of a call that did not succeed.
  void note(bool success);

  std::streambuf& inner_;
  int reason_ = 0;
};

}  // namespace moe
