#include "model/safetensors.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace moe {
namespace {

std::filesystem::path file_path() {
  return std::filesystem::temp_directory_path() / ("safetensors_test." + std::to_string(::getpid()));
}

/// A file, gone again at the end of the test.
struct TemporaryFile {
  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path); }

  std::filesystem::path path = file_path();
};

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

/// The sentence with which a file of this header and data is refused; empty: it was read.
std::string refusal(const std::string& header, const std::string& data) {
  const TemporaryFile file;
  write_file(file.path, little_endian(header.size()) + header + data);
  try {
    read_safetensors(file.path);
  } catch (const Error& error) {
    const std::string sentence = error.what();
    CHECK(sentence.starts_with(file.path.string()));
    CHECK(std::count(sentence.begin(), sentence.end(), '\n') == 0);
    CHECK(error.status() == ExitStatus::request_wrong);
    return sentence.substr(file.path.string().size());
  }
  return "";
}

const char* const two_floats = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

}  // namespace

TEST_CASE("every dtype, empty and scalar shapes and the metadata come back as written") {
  const TemporaryFile temporary;
  TensorFile file;
  const torch::Tensor values = torch::tensor({{0.0, 1.0, 2.5}, {100.0, 7.0, 3.0}}, torch::kFloat64);
  for (const torch::Dtype dtype : {torch::kFloat64, torch::kFloat32, torch::kBFloat16, torch::kFloat16, torch::kInt64,
                                   torch::kInt32, torch::kUInt8, torch::kBool}) {
    file.tensors[torch::toString(dtype)] = values.to(dtype);
  }
  file.tensors["transposed"] = values.t();
  file.tensors["scalar"] = torch::tensor(-4.0F);
  file.tensors["empty"] = torch::empty({0, 5});
  file.metadata = {{"step", "12"}, {"note", "\"quoted\" äöü"}};
  write_safetensors(temporary.path, file);
  const TensorFile read = read_safetensors(temporary.path);
  CHECK(read.metadata == file.metadata);
  REQUIRE(read.tensors.size() == file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    CAPTURE(name);
    CHECK(read.tensors.at(name).scalar_type() == tensor.scalar_type());
    CHECK(read.tensors.at(name).equal(tensor));
  }
}

TEST_CASE("the file is laid out as the format says, byte by byte") {
  const TemporaryFile temporary;
  write_safetensors(temporary.path,
                    {{{"a", torch::tensor({1.0F, -2.0F})}, {"b", torch::tensor({7}, torch::kUInt8)}}, {}});
  const std::string bytes = read_file(temporary.path);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = 256 * length + static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  CHECK(length % 8 == 0);
  REQUIRE(bytes.size() == 8 + length + 9);
  CHECK(bytes[8] == '{');
  const Json expected = {{"a", {{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {0, 8}}}},
                         {"b", {{"dtype", "U8"}, {"shape", {1}}, {"data_offsets", {8, 9}}}}};
  CHECK(Json::parse(bytes.substr(8, length)) == expected);
  const std::string data = bytes.substr(8 + length);
  CHECK(data == std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0\x07", 9));  // 1.0, -2.0 and 7, little-endian
}

TEST_CASE("a file is written tensor by tensor, and a value of its metadata may come last") {
  const TemporaryFile temporary;
  int made = 0;
  LazyTensors sources;
  sources.emplace("b", LazyTensor({2, 3}, torch::kFloat32, [&] {
                    CHECK(++made == 2);
                    return torch::ones({2, 3});
                  }));
  sources.emplace("a", LazyTensor({1}, torch::kInt64, [&] {
                    CHECK(++made == 1);
                    return torch::zeros({1}, torch::kInt64);
                  }));
  SafetensorsWriter writer(temporary.path, sources, {{"note", "kept"}, {"sum", "????"}});
  for (const auto& [name, source] : sources) writer.append(source.make());
  writer.replace_metadata("????", "1234");
  writer.commit();
  const std::string written = read_file(temporary.path);
  write_safetensors(temporary.path, {{{"a", torch::zeros({1}, torch::kInt64)}, {"b", torch::ones({2, 3})}},
                                     {{"note", "kept"}, {"sum", "1234"}}});
  CHECK(written == read_file(temporary.path));
}

TEST_CASE("a writer refuses what its header does not announce") {
  const TemporaryFile temporary;
  LazyTensors sources;
  sources.emplace("a", torch::ones({2}));
  SafetensorsWriter writer(temporary.path, sources, {{"sum", "????"}});
  CHECK_THROWS(writer.commit());  // a tensor is missing
  CHECK_THROWS(writer.replace_metadata("????", "12345"));
  CHECK_THROWS(writer.replace_metadata("unknown", "1234567"));
  CHECK_THROWS(writer.append(torch::ones({2}, torch::kFloat64)));
}

TEST_CASE("a file of the format that others wrote is read") {
  CHECK(refusal(two_floats, std::string(8, 'x')).empty());
  CHECK(refusal("{}   ", "").empty());
  // Tensors may stand in the header in another order than in the data.
  CHECK(
      refusal(
          R"({"z":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
          "xyz")
          .empty());
}

TEST_CASE("a missing file, a cut one and one that is something else are refused in one sentence") {
  CHECK_THROWS_AS(read_safetensors(file_path()), Error);
  const TemporaryFile temporary;
  const std::string whole = little_endian(std::strlen(two_floats)) + two_floats + std::string(8, 'x');
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    write_file(temporary.path, whole.substr(0, length));
    CHECK_THROWS_AS(read_safetensors(temporary.path), Error);
  }
  write_file(temporary.path, std::string(100, '\xff'));
  CHECK_THROWS_AS(read_safetensors(temporary.path), Error);
}

TEST_CASE("headers that lie are refused before anything is allocated") {
  const auto one = [](const char* dtype, const char* shape, const char* offsets) {
    return fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets);
  };
  const std::string data(8, 'x');
  CHECK(refusal(one("F32", "[1099511627776]", "[0,8]"), data).find("\"a\"") != std::string::npos);  // 4 terabytes
  CHECK(refusal(one("F32", "[1099511627776]", "[0,4398046511104]"), data).find("\"a\"") != std::string::npos);
  CHECK_FALSE(refusal(one("F32", "[4294967296,4294967296,2]", "[0,8]"), data).empty());  // overflows to 0
  CHECK_FALSE(refusal(one("F32", "[0,4294967296,4294967296]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[1099511627776,1099511627776,0]", "[0,0]"), "").empty());  // strides overflow
  CHECK_FALSE(refusal(one("F32", "[-2]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[-1,-2]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[1]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[2]", "[8,0]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[2]", "[-8,0]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[2.5]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[1e300]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F8_E4M3", "[8]", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "\"two\"", "[0,8]"), data).empty());
  CHECK_FALSE(refusal(one("F32", "[2]", "[0]"), data).empty());
}

TEST_CASE("headers that are no header of this format are refused") {
  for (const char* header : {"", "not json", "[]", "7", R"({"a":5})", R"({"a":{}})", R"({"__metadata__":{"k":5}})",
                             R"({"a":{"dtype":"F32","shape":[2]}})", R"({"a":{"dtype":"F32")"}) {
    CAPTURE(header);
    CHECK_FALSE(refusal(header, "").empty());
  }
}

TEST_CASE("data that overlap, leave a gap or are left over are refused") {
  const auto two = [](const char* first, const char* second) {
    return fmt::format(
        R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":{}}},"b":{{"dtype":"U8","shape":[2],"data_offsets":{}}}}})",
        first, second);
  };
  CHECK(refusal(two("[0,2]", "[2,4]"), "wxyz").empty());
  CHECK_FALSE(refusal(two("[0,2]", "[1,3]"), "wxy").empty());
  CHECK_FALSE(refusal(two("[0,2]", "[0,2]"), "wx").empty());
  CHECK_FALSE(refusal(two("[0,2]", "[3,5]"), "vwxyz").empty());
  CHECK_FALSE(refusal(two("[1,3]", "[3,5]"), "vwxyz").empty());
  CHECK_FALSE(refusal(two("[0,2]", "[2,4]"), "vwxyz").empty());
}

}  // namespace moe
