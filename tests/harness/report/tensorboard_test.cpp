#include "harness/report/tensorboard.h"

#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

#include <cstring>
#include <map>

namespace moe {
namespace {

/// Reads numbers and parts from the front of bytes, as a reader of TensorBoard does.
class Bytes {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  bool empty() const { return bytes_.empty(); }
  std::string take(std::size_t count) {
    REQUIRE(count <= bytes_.size());
    std::string part = bytes_.substr(0, count);
    bytes_.erase(0, count);
    return part;
  }
  template <class Number>
  Number number() {
    Number value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return value;
    }
  }

 private:
  std::string bytes_;
};

struct Event {
  double wall_time = 0;
  std::uint64_t step = 0;
  std::string version;
  std::map<std::string, float> scalars;
};

void read_value(Bytes value, Event& event) {
  std::string tag;
  while (!value.empty()) {
    const std::uint64_t key = value.varint();
    if (key == (1 << 3 | 2)) {
      tag = value.take(value.varint());
    } else {
      REQUIRE(key == (2 << 3 | 5));
      event.scalars[tag] = value.number<float>();
    }
  }
}

Event read_event(Bytes bytes) {
  Event event;
  while (!bytes.empty()) {
    switch (bytes.varint()) {
      case 1 << 3 | 1:
        event.wall_time = bytes.number<double>();
        break;
      case 2 << 3 | 0:
        event.step = bytes.varint();
        break;
      case 3 << 3 | 2:
        event.version = bytes.take(bytes.varint());
        break;
      case 5 << 3 | 2: {
        Bytes summary(bytes.take(bytes.varint()));
        while (!summary.empty()) {
          REQUIRE(summary.varint() == (1 << 3 | 2));
          read_value(Bytes(summary.take(summary.varint())), event);
        }
        break;
      }
      default:
        FAIL("an unknown field");
    }
  }
  return event;
}

/// All events, every checksum checked.
std::vector<Event> read_events(const std::filesystem::path& file) {
  const auto unmasked = [](std::uint32_t crc) {
    crc -= 0xa282ead8U;
    return (crc << 15U) | (crc >> 17U);
  };
  std::vector<Event> events;
  Bytes bytes(read_file(file));
  while (!bytes.empty()) {
    const std::string length = bytes.take(8);
    CHECK(unmasked(bytes.number<std::uint32_t>()) == crc32c(length));
    const std::string data = bytes.take(Bytes(length).number<std::uint64_t>());
    CHECK(unmasked(bytes.number<std::uint32_t>()) == crc32c(data));
    events.push_back(read_event(Bytes(data)));
  }
  return events;
}

}  // namespace

TEST_CASE("checksums are CRC-32C") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);  // RFC 3720, B.4
}

TEST_CASE("every run with a curve has an event file that says what the curve says") {
  const ResultFolder folder;
  Json result = example_result({});
  result["curve"][0]["cross_entropy"] = 4.5;
  result["curve"][0]["learning_rate"] = 0.001;
  const Json direction = {{"direction", "de-en"}, {"loss", 3.5}, {"bleu", nullptr}};
  result["curve"][0]["valid_by_direction"] = Json::array({direction});
  result["measurements"]["curve_seconds"] = {10.5, 21.0};
  folder.write(result);
  folder.write(failed_result({.seed = 2}, "It failed."));
  const std::filesystem::path out = folder.path() / "events";
  const std::filesystem::path run = out / "switch-e4-s1-de-en";
  write_file(run / "events.out.tfevents.1.moe-bench", "of an earlier call");
  write_file(run / "events.out.tfevents.1.another", "of another program");
  CHECK(write_event_files(read_results({folder.path()}, {}), out) == 1);

  CHECK_FALSE(std::filesystem::exists(run / "events.out.tfevents.1.moe-bench"));
  CHECK(std::filesystem::exists(run / "events.out.tfevents.1.another"));
  // 2026-01-02T03:04:05Z: 20455 days and 11045 seconds.
  const std::vector<Event> events = read_events(run / "events.out.tfevents.1767323045.moe-bench");
  REQUIRE(events.size() == 3);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[0].wall_time == 1767323045.0);
  CHECK(events[1].step == 100);
  CHECK(events[1].wall_time == 1767323055.5);
  CHECK(events[1].scalars == std::map<std::string, float>{{"valid_loss", 3.5F},
                                                          {"valid_bleu", 10.0F},
                                                          {"cross_entropy", 4.5F},
                                                          {"learning_rate", 0.001F},
                                                          {"valid_loss/de-en", 3.5F}});
  CHECK(events[2].step == 200);
  CHECK(events[2].scalars == std::map<std::string, float>{{"valid_loss", 2.5F}, {"valid_bleu", 20.0F}});
}

}  // namespace moe
