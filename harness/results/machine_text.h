#pragma once
// The machine of a measurement in words.

#include "core/json.h"

#include <string>

namespace moe {

/// "AMD EPYC, 2 cores, 1 thread, cpu", with the numbers of ranks and of runs side by side and the GPU's name where
/// there are any; empty where the processor is not known. `host`: as in the measurements of a result.
std::string machine_text(const Json& host);

}  // namespace moe
