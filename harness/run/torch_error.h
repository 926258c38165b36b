#pragma once
// LibTorch's errors in words for the user: what() of theirs ends with a backtrace.

#include <c10/util/Exception.h>

#include <string>

namespace moe {

/// LibTorch has a type of its own only for devices' memory; on the CPU its allocator's words are all there is.
bool is_out_of_memory(const c10::Error& error);

/// The GPU itself failed or is gone, and would fail the next run too; a bug in a kernel is not meant.
bool is_device_loss(const c10::Error& error);

/// "LibTorch: " and its message on one line, without the backtrace.
std::string sentence_of(const c10::Error& error);

}  // namespace moe
