// Events are protocol buffers, encoded here by hand: tensorflow/core/util/event.proto (Event: wall_time 1, step 2,
// file_version 3, summary 5) and tensorflow/core/framework/summary.proto (Summary: value 1; its Value: tag 1,
// simple_value 2). The encoding: https://protobuf.dev/programming-guides/encoding/.

#include "harness/report/tensorboard.h"

#include "core/error.h"
#include "core/files.h"

#include <array>
#include <bit>
#include <ctime>
#include <optional>

namespace moe {
namespace {

constexpr const char* file_ending = ".moe-bench";

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t rest = i;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1U) ^ ((rest & 1U) != 0 ? 0x82f63b78U : 0U);
    table[i] = rest;
  }
  return table;
}

/// Least significant byte first.
template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xffU);
  return bytes;
}

/// A checksum of data that hold checksums themselves would be weak: TFRecord files store them rotated and shifted.
std::uint32_t masked(std::uint32_t crc) {
  return std::rotr(crc, 15) + 0xa282ead8U;
}

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80U; value >>= 7U) bytes += static_cast<char>((value & 0x7fU) | 0x80U);
  bytes += static_cast<char>(value);
  return bytes;
}

std::string key_of(unsigned field, WireType type) {
  return varint((field << 3U) | static_cast<unsigned>(type));
}

std::string bytes_field(unsigned field, const std::string& bytes) {
  return key_of(field, WireType::bytes) + varint(bytes.size()) + bytes;
}

std::string double_field(unsigned field, double value) {
  return key_of(field, WireType::fixed64) + little_endian(std::bit_cast<std::uint64_t>(value));
}

std::string float_field(unsigned field, double value) {
  return key_of(field, WireType::fixed32) + little_endian(std::bit_cast<std::uint32_t>(static_cast<float>(value)));
}

/// The values of one point of the curve.
class Scalars {
 public:
  void add(const std::string& tag, const std::optional<double>& value) {
    if (value) summary_ += bytes_field(1, bytes_field(1, tag) + float_field(2, *value));
  }
  std::string event(double wall_time, std::int64_t step) const {
    return double_field(1, wall_time) + key_of(2, WireType::varint) + varint(static_cast<std::uint64_t>(step)) +
           bytes_field(5, summary_);
  }

 private:
  std::string summary_;
};

/// Seconds since 1970 of "2026-01-02T03:04:05Z"; 0 for another form.
std::int64_t unix_seconds(const std::string& utc) {
  std::tm time{};
  const char* end = strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
  return end == nullptr || *end != '\0' ? 0 : timegm(&time);
}

std::string events_of(const RunResult& run, std::int64_t started) {
  const auto start = static_cast<double>(started);
  std::string file = tfrecord(double_field(1, start) + bytes_field(3, "brain.Event:2"));
  const std::vector<double>& seconds = run.measurements.curve_seconds;
  for (std::size_t i = 0; i < run.curve.size(); ++i) {
    const CurvePoint& point = run.curve[i];
    Scalars scalars;
    scalars.add("valid_loss", point.valid_loss);
    scalars.add("valid_bleu", point.valid_bleu);
    scalars.add("cross_entropy", point.cross_entropy);
    scalars.add("learning_rate", point.learning_rate);
    for (const DirectionScores& scores : point.valid_by_direction) {
      scalars.add("valid_loss/" + scores.direction, scores.loss);
      scalars.add("valid_bleu/" + scores.direction, scores.bleu);
    }
    file += tfrecord(scalars.event(i < seconds.size() ? start + seconds[i] : start, point.update));
  }
  return file;
}

/// TensorBoard would show an earlier file of ours beside the new one.
void remove_event_files(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("events.out.tfevents.") && name.ends_with(file_ending)) std::filesystem::remove(entry.path());
  }
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> table = make_crc_table();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = (crc >> 8U) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xffU];
  return ~crc;
}

std::string tfrecord(std::string_view bytes) {
  const std::string length = little_endian(static_cast<std::uint64_t>(bytes.size()));
  return length + little_endian(masked(crc32c(length))) + std::string(bytes) + little_endian(masked(crc32c(bytes)));
}

std::size_t write_event_files(const ResultSet& results, const std::filesystem::path& out) {
  std::size_t written = 0;
  for (const RunResult& run : results.runs) {
    if (run.curve.empty()) continue;
    const std::filesystem::path folder = out / run.run_id;
    const std::int64_t started = unix_seconds(run.measurements.started);
    remove_event_files(folder);
    write_file(folder / fmt::format("events.out.tfevents.{}{}", started, file_ending), events_of(run, started));
    ++written;
  }
  return written;
}

}  // namespace moe
