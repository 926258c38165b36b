#include "harness/report/tables/side_by_side.h"

#include "harness/results/machine_text.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <string>

namespace moe {
namespace {

constexpr double slack = 2;  ///< seconds by which two runs may seem to overlap, since starts are written in whole ones

struct Span {
  double begin = 0, end = 0;
};

/// When a run worked, in seconds, if it was not cut; none where that is not known.
std::optional<Span> span_of(const RunResult& run) {
  std::tm time{};
  const char* const end = strptime(run.measurements.started.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
  if (end == nullptr || *end != '\0' || !run.measurements.seconds) return std::nullopt;
  const auto begin = static_cast<double>(timegm(&time));
  return Span{begin, begin + run.measurements.seconds->total};
}

bool any_overlap(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].begin + slack < spans[i - 1].end) return true;
    spans[i].end = std::max(spans[i].end, spans[i - 1].end);
  }
  return false;
}

}  // namespace

bool worked_side_by_side(const std::vector<RunResult>& runs) {
  std::map<std::string, std::vector<Span>> unsaid;  // by machine
  for (const RunResult& run : runs) {
    const Json& host = run.measurements.host;
    if (host.contains("jobs") && host["jobs"].is_number()) {
      if (host["jobs"].get<double>() > 1) return true;
    } else if (const std::optional<Span> span = span_of(run)) {
      unsaid[machine_text(host)].push_back(*span);
    }
  }
  return std::any_of(unsaid.begin(), unsaid.end(), [](const auto& machine) { return any_overlap(machine.second); });
}

}  // namespace moe
