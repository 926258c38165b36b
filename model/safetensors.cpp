#include "model/safetensors.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

// Layout: 8 bytes little-endian length of the header; a JSON header {NAME: {dtype, shape, data_offsets}, __metadata__};
// then the tensors' bytes, offsets counted from the end of the header.

namespace moe {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

constexpr std::array<std::pair<const char*, torch::ScalarType>, 8> dtypes{{{"F64", torch::kFloat64},
                                                                           {"F32", torch::kFloat32},
                                                                           {"BF16", torch::kBFloat16},
                                                                           {"F16", torch::kFloat16},
                                                                           {"I64", torch::kInt64},
                                                                           {"I32", torch::kInt32},
                                                                           {"U8", torch::kUInt8},
                                                                           {"BOOL", torch::kBool}}};

const char* dtype_name(torch::ScalarType type) {
  for (const auto& [name, candidate] : dtypes) {
    if (candidate == type) return name;
  }
  throw Error(fmt::format("safetensors: no name for dtype {}.", torch::toString(type)));
}

torch::ScalarType dtype_named(const std::string& name, const std::string& where) {
  for (const auto& [candidate, type] : dtypes) {
    if (name == candidate) return type;
  }
  throw Error(fmt::format("{}: dtype \"{}\" is not supported.", where, name));
}

std::uint64_t read_header_length(const std::string& bytes, const std::string& path) {
  MOE_CHECK(bytes.size() >= 8, "{}: {} bytes are too few for a safetensors file.", path, bytes.size());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  MOE_CHECK(length <= bytes.size() - 8,
            "{}: the header claims {} bytes, but {} follow; the file is cut or not safetensors.", path, length,
            bytes.size() - 8);
  return length;
}

/// A list of sizes or offsets. nlohmann/json would round 2.5 and wrap -8.
std::vector<std::int64_t> whole_numbers(const Json& list, const char* key, const std::string& where) {
  MOE_CHECK(list.is_array(), "{}: {} is no list.", where, key);
  std::vector<std::int64_t> numbers;
  for (const Json& number : list) {
    MOE_CHECK(number.is_number_unsigned() && number <= std::numeric_limits<std::int64_t>::max(),
              "{}: {} holds {}, which is no size.", where, key, number.dump());
    numbers.push_back(number.get<std::int64_t>());
  }
  return numbers;
}

/// A shape, checked against the bytes that the file has for it, so that no product can overflow: not even that of an
/// empty tensor's other extents, from which LibTorch computes strides.
void check_extent(const std::vector<std::int64_t>& shape, std::uint64_t item_size, std::uint64_t bytes,
                  const std::string& where) {
  const bool is_empty = std::count(shape.begin(), shape.end(), 0) > 0;
  const std::uint64_t most = is_empty ? std::numeric_limits<std::int64_t>::max() : bytes;
  std::uint64_t expected = item_size;
  for (const std::int64_t extent : shape) {
    if (extent == 0) continue;
    MOE_CHECK(static_cast<std::uint64_t>(extent) <= most / expected, "{}: the shape needs more than {} bytes.", where,
              most);
    expected *= static_cast<std::uint64_t>(extent);
  }
  if (is_empty) expected = 0;
  MOE_CHECK(expected == bytes, "{}: the shape needs {} bytes, its range has {}.", where, expected, bytes);
}

struct Range {
  std::uint64_t begin, end;
  std::string where;
};

/// The format asks for ranges that follow each other without gap or overlap and fill the file.
void check_ranges(std::vector<Range> ranges, std::uint64_t size, const std::string& path) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  std::uint64_t position = 0;
  for (const Range& range : ranges) {
    MOE_CHECK(range.begin == position, "{}: its data overlap another tensor's or leave a gap.", range.where);
    position = range.end;
  }
  MOE_CHECK(position == size, "{}: {} bytes of data, but the tensors cover {}.", path, size, position);
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::vector<torch::Tensor> tensors;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    tensors.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const std::uint64_t end = offset + tensors.back().nbytes();
    header[name] = {
        {"dtype", dtype_name(tensor.scalar_type())}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // tensors start on a multiple of eight bytes
  const std::uint64_t length = text.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  bytes.reserve(bytes.size() + text.size() + offset);
  bytes += text;
  for (const torch::Tensor& tensor : tensors) {
    bytes.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  }
  write_file(path, bytes);
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const std::uint64_t header_length = read_header_length(bytes, path.string());
  const Json header = parse_json(std::string_view(bytes).substr(8, header_length), path.string() + " (header)");
  MOE_CHECK(header.is_object(), "{}: the header is not a JSON object.", path.string());
  const char* data = bytes.data() + 8 + header_length;
  const std::uint64_t size = bytes.size() - 8 - header_length;
  TensorFile file;
  std::vector<Range> ranges;
  try {
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        file.metadata = entry.get<std::map<std::string, std::string>>();
        continue;
      }
      const std::string where = fmt::format("{}: tensor \"{}\"", path.string(), name);
      const torch::ScalarType type = dtype_named(entry.at("dtype").get<std::string>(), where);
      const std::vector<std::int64_t> shape = whole_numbers(entry.at("shape"), "shape", where);
      const std::vector<std::int64_t> offsets = whole_numbers(entry.at("data_offsets"), "data_offsets", where);
      MOE_CHECK(offsets.size() == 2, "{}: data_offsets holds {} numbers, not 2.", where, offsets.size());
      const auto begin = static_cast<std::uint64_t>(offsets[0]), end = static_cast<std::uint64_t>(offsets[1]);
      MOE_CHECK(begin <= end && end <= size, "{}: its range [{}, {}] is outside the {} bytes of data.", where, begin,
                end, size);
      check_extent(shape, torch::elementSize(type), end - begin, where);
      torch::Tensor tensor = torch::empty(shape, torch::TensorOptions(type));
      if (end > begin) std::memcpy(tensor.mutable_data_ptr(), data + begin, end - begin);  // an empty one has no memory
      file.tensors[name] = tensor;
      ranges.push_back({begin, end, where});
    }
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: the header is not a safetensors header: {}.", path.string(), error.what()));
  }
  check_ranges(std::move(ranges), size, path.string());
  return file;
}

}  // namespace moe
