// Memory of arrays, in a file of its own: tests put memory between pages without access in its place. See array.h.
#include <malloc.h>
#include <sys/mman.h>

#include <new>

#include "runtime/files/array.h"

namespace tarn {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::size_t kLarge = std::size_t{1} << 25;

std::align_val_t alignment_for(std::size_t bytes) {
  return std::align_val_t{bytes >= kHugePage ? kHugePage : kCacheLine};
}

}  // namespace

void* allocate_aligned(std::size_t bytes) {
#ifdef __GLIBC__
  // What was freed since, by a compiler above all, goes back to the system before much more is asked of it.
  if (bytes >= kLarge) ::malloc_trim(0);
#endif
  void* const block = ::operator new(bytes, alignment_for(bytes));
#ifdef MADV_HUGEPAGE
  // Only advice: where it is not taken, pages are small.
  if (bytes >= kHugePage) ::madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return block;
}

void release_aligned(void* block, std::size_t bytes) { ::operator delete(block, bytes, alignment_for(bytes)); }

}  // namespace tarn
