#include "routers/option_files.h"

namespace moe {
namespace {

constexpr const char* file_format = "file";

void find_files(const Json& schema, const Json& options, const std::string& path, std::vector<OptionFile>& files) {
  for (const auto& [key, option] : schema.at("properties").items()) {
    if (!options.contains(key)) continue;
    const std::string option_path = join_path(path, key);
    if (option.contains("properties")) {
      find_files(option, options.at(key), option_path, files);
    } else if (option.value("format", "") == file_format) {
      const std::string file = options.at(key).get<std::string>();
      if (!file.empty()) files.push_back({option_path, file});
    }
  }
}

}  // namespace

Json file_schema() {
  return {{"type", "string"}, {"format", file_format}};
}

std::vector<OptionFile> option_files(const RouterEntry& router, const Json& options) {
  std::vector<OptionFile> files;
  find_files(router.options_schema(), options, "", files);
  return files;
}

}  // namespace moe
