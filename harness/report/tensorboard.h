#pragma once
// Validation curves as event files of TensorBoard.

#include "harness/results/result_set.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace moe {

/// CRC-32C (Castagnoli), as RFC 3720 has it in appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

/// One record of a TFRecord file: length, its masked checksum, the bytes, theirs. The format is told in
/// tensorflow/core/lib/io/record_writer.h.
std::string tfrecord(std::string_view bytes);

/// Writes OUT/RUN_ID/events.out.tfevents.SECONDS.moe-bench for each run with a curve, in place of an earlier one, and
/// returns their number. Scalars by update: valid_loss, valid_bleu, cross_entropy, learning_rate, and valid_loss/DE-EN,
/// valid_bleu/DE-EN of each direction. The wall time of a point is the start of the run and the seconds it had trained.
std::size_t write_event_files(const ResultSet& results, const std::filesystem::path& out);

}  // namespace moe
