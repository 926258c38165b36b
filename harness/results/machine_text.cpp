#include "harness/results/machine_text.h"

#include "core/text.h"

#include <cstdint>
#include <vector>

namespace moe {

std::string machine_text(const Json& host) {
  const auto text = [&](const char* key) { return host.is_object() ? host.value(key, std::string()) : ""; };
  const auto number = [&](const char* key) {
    const bool known = host.is_object() && host.contains(key) && host[key].is_number_integer();
    return known ? host[key].get<std::int64_t>() : 0;
  };
  if (text("cpu").empty()) return "";
  std::vector<std::string> parts = {text("cpu")};
  if (number("cores") > 0) parts.push_back(count_of(number("cores"), "core"));
  if (number("threads") > 0) parts.push_back(count_of(number("threads"), "thread"));
  if (number("ranks") > 1) parts.push_back(count_of(number("ranks"), "rank"));
  for (const char* key : {"device", "gpu"}) {
    if (!text(key).empty()) parts.push_back(text(key));
  }
  if (number("jobs") > 1) parts.push_back(count_of(number("jobs"), "run") + " side by side");
  return join(parts, ", ");
}

}  // namespace moe
