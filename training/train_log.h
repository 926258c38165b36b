#pragma once
// train.jsonl: one line of losses every few updates, cut back to the checkpoint when a run goes on.

#include "core/json.h"

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace moe {

class TrainLog {
 public:
  /// Opens the file for appending after cutting it to `bytes`. Throws (machine_failed).
  TrainLog(const std::filesystem::path& file, std::uintmax_t bytes);

  void write(const Json& line);
  /// Everything written so far is on its way to the disk; returns the file's length.
  std::uintmax_t flush();

 private:
  std::filesystem::path file_;
  std::uintmax_t bytes_;
  std::ofstream stream_;
};

}  // namespace moe
