#include "training/train_log.h"

#include "core/error.h"
#include "core/files.h"

namespace moe {

namespace {

/// Bytes of the lines that end within the first `bytes` of the file.
std::uintmax_t whole_lines(const std::filesystem::path& file, std::uintmax_t bytes) {
  const std::string text = read_file(file).substr(0, bytes);
  return text.rfind('\n') + 1;  // npos + 1 is 0
}

}  // namespace

TrainLog::TrainLog(const std::filesystem::path& file, std::uintmax_t bytes) : file_(file), bytes_(bytes) {
  std::error_code failure;
  // A machine that lost power may have kept less of the log than the checkpoint counts on; the run itself is whole.
  if (std::filesystem::exists(file)) {
    bytes_ = whole_lines(file, bytes);
    std::filesystem::resize_file(file, bytes_, failure);
  } else {
    bytes_ = 0;
  }
  stream_.open(file, std::ios::binary | std::ios::app);
  if (failure || !stream_)
    throw Error(fmt::format("{}: cannot be written.", file.string()), ExitStatus::machine_failed);
}

void TrainLog::write(const Json& line) {
  const std::string text = line.dump() + "\n";
  stream_ << text;
  bytes_ += text.size();
}

std::uintmax_t TrainLog::flush() {
  stream_.flush();
  if (!stream_) {
    throw Error(fmt::format("{}: cannot be written; is the disk full?", file_.string()), ExitStatus::machine_failed);
  }
  return bytes_;
}

}  // namespace moe
