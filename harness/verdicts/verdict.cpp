#include "harness/verdicts/verdict.h"

namespace moe {

std::string verdict_name(VerdictKind verdict) {
  switch (verdict) {
    case VerdictKind::supported:
      return "supported";
    case VerdictKind::contradicted:
      return "contradicted";
    case VerdictKind::undecided:
      return "undecided";
    case VerdictKind::untestable:
      break;
  }
  return "untestable";
}

}  // namespace moe
