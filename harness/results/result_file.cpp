#include "harness/results/result_file.h"

#include "core/error.h"
#include "core/files.h"
#include "data/digest.h"

namespace moe {
namespace {

constexpr const char* key = "digest";

/// Of everything but what depends on the machine and the moment: equal runs have equal digests.
std::string digest_of_part(Json part) {
  part.erase(key);
  part.erase("measurements");
  return digest_of(part.dump());
}

bool is_whole(const Json& part) {
  return !part.is_object() || !part.contains(key) || part[key] == digest_of_part(part);
}

}  // namespace

void write_result(const std::filesystem::path& file, const RunRecord& record) {
  Json result = write_record(record);
  for (Json* part : {&result["measurements"], &result}) (*part)[key] = digest_of_part(*part);
  write_file(file, format_json(result));
}

std::vector<std::string> wrong_digests(const Json& result) {
  std::vector<std::string> paths;
  if (!is_whole(result)) paths.emplace_back(key);
  if (result.is_object() && !is_whole(result.value("measurements", Json()))) {
    paths.push_back(fmt::format("measurements.{}", key));
  }
  return paths;
}

Json read_result(const std::filesystem::path& file) {
  Json result = read_json(file);
  MOE_CHECK(wrong_digests(result).empty(), "{}: is not what the run wrote; remove it to run again.", file.string());
  return result;
}

}  // namespace moe
