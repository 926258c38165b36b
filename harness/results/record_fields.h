#pragma once
// Keys and bounds that several parts of the record share.

#include "harness/results/record_visitor.h"

namespace moe {

inline constexpr const char* direction_pattern =
    "^([A-Za-z0-9_]+|[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?)-([A-Za-z0-9_]+|[a-z]{2,3}(-[A-Z][a-z]{3})?(-(["
    "A-Z]{2}|[0-9]{3}))?)$";
inline constexpr const char* digest_pattern = "^[0-9a-f]{16}$";
inline constexpr double perfect =
    100.000000001;  // the BLEU of a perfect translation is 100.00000000000004, as sacreBLEU has it

inline RecordField direction_field() {
  return {.key = "direction", .pattern = direction_pattern};
}

}  // namespace moe
