#include "model/safetensors.h"

#include "core/error.h"
#include "core/json.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
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

std::uint64_t read_header_length(std::string_view bytes, const std::string& path) {
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

/// The tensor in the file's memory, or a copy where it does not stand at a multiple of its elements' size.
torch::Tensor tensor_at(char* place, const std::vector<std::int64_t>& shape, torch::ScalarType type,
                        const std::shared_ptr<MappedFile>& file) {
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(place) % torch::elementSize(type) == 0;
  if (is_aligned) return torch::from_blob(place, shape, [file](void*) {}, torch::TensorOptions(type));
  const torch::Tensor tensor = torch::empty(shape, torch::TensorOptions(type));
  if (tensor.numel() > 0) std::memcpy(tensor.mutable_data_ptr(), place, tensor.nbytes());
  return tensor;
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

std::map<std::string, torch::Tensor> make_tensors(const LazyTensors& sources) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& [name, source] : sources) tensors[name] = source.make();
  return tensors;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const LazyTensors& sources,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, source] : sources) {
    std::uint64_t end =
        offset + torch::elementSize(source.dtype) * static_cast<std::uint64_t>(c10::multiply_integers(source.shape));
    header[name] = {{"dtype", dtype_name(source.dtype)}, {"shape", source.shape}, {"data_offsets", {offset, end}}};
    announced_.push_back({source.dtype, source.shape});
    offset = end;
  }
  header_ = header.dump();
  header_.append((8 - header_.size() % 8) % 8, ' ');  // tensors start on a multiple of eight bytes
  const std::uint64_t length = header_.size();
  file_.append({reinterpret_cast<const char*>(&length), sizeof(length)});
  file_.append(header_);
}

void SafetensorsWriter::append(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.detach().to(torch::kCPU).contiguous();
  const Announced& next = announced_.at(appended_++);
  TORCH_CHECK(values.scalar_type() == next.dtype && values.sizes() == next.shape,
              "A tensor differs from what the file's header says of it.");
  file_.append({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
}

void SafetensorsWriter::replace_metadata(const std::string& old_value, const std::string& new_value) {
  const std::size_t offset = header_.find(old_value);
  TORCH_CHECK(offset != std::string::npos && old_value.size() == new_value.size(),
              "The header has no room for a value.");
  file_.overwrite(sizeof(std::uint64_t) + offset, new_value);
}

void SafetensorsWriter::commit() {
  TORCH_CHECK(appended_ == announced_.size(), "A file lacks tensors of its header.");
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  const LazyTensors sources(file.tensors.begin(), file.tensors.end());
  SafetensorsWriter writer(path, sources, file.metadata);
  for (const auto& [name, tensor] : file.tensors) writer.append(tensor);
  writer.commit();
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto mapped = std::make_shared<MappedFile>(path);
  const std::string_view bytes = mapped->bytes();
  const std::uint64_t header_length = read_header_length(bytes, path.string());
  const Json header = parse_json(bytes.substr(8, header_length), path.string() + " (header)");
  MOE_CHECK(header.is_object(), "{}: the header is not a JSON object.", path.string());
  char* const data = mapped->data() + 8 + header_length;
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
      file.tensors[name] = tensor_at(data + begin, shape, type, mapped);
      ranges.push_back({begin, end, where});
    }
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: the header is not a safetensors header: {}.", path.string(), error.what()));
  }
  check_ranges(std::move(ranges), size, path.string());
  return file;
}

}  // namespace moe
