// Memory between pages without access: whoever reads or writes a byte beyond the guarded end dies of it. Knows no type
// of Tarn's.
#pragma once

#include <cstddef>

namespace tarn::test {

// Which end of a block is that of its pages, to the byte. What is between the other end and the next page without
// access is only watched for writes.
enum class GuardedEnd { front, back };

// `bytes` bytes, filled with ones: NaNs where they are taken for numbers. Where the back is guarded, the front is
// aligned as the number of bytes is divisible, to 64 say; where the front is, to a page.
std::byte* allocate_guarded(std::size_t bytes, GuardedEnd end);
// Ends the program with a message where something was written beside the block.
void release_guarded(void* block, std::size_t bytes);

}  // namespace tarn::test
