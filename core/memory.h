#pragma once

namespace moe {

/// Makes the process keep the large blocks that it frees. The tensors of a step have the sizes of those of the step
/// before; a C library that hands each block back to the system pays for its pages again every time. Without effect
/// where the C library is not glibc.
void keep_freed_memory();

}  // namespace moe
