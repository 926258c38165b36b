#include "harness/commands/run/run_request.h"

#include "core/error.h"
#include "core/text.h"

#include <charconv>
#include <system_error>

namespace moe {

Shard parse_shard(const std::string& text) {
  const std::vector<std::string> parts = split(text, '/');
  const auto number = [](const std::string& digits) -> std::size_t {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
  };
  const Shard shard{number(parts.front()), parts.size() == 2 ? number(parts.back()) : 0};
  MOE_CHECK(shard.index >= 1 && shard.index <= shard.count, "--shard {}: expected I/N with 1 <= I <= N.", text);
  return shard;
}

}  // namespace moe
