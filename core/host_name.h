#pragma once
// What this machine calls itself: processes of two machines may share a folder and a process number.

#include <string>

namespace moe {

std::string host_name();

}  // namespace moe
