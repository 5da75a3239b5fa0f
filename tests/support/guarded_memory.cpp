// See guarded_memory.h.
#include "tests/support/guarded_memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace tarn::test {

namespace {

// As far as a stray access may go: rows beyond the last one, not only elements.
constexpr std::size_t kWithoutAccess = std::size_t{1} << 20;
constexpr std::byte kBeside{0xA5};

std::size_t page() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// The pages of a block, and all that is mapped for it.
struct Pages {
  std::byte* begin;
  std::size_t bytes;
  std::byte* mapped() const { return begin - kWithoutAccess; }
  std::size_t mapped_bytes() const { return bytes + 2 * kWithoutAccess; }
};

std::size_t bytes_of_pages(std::size_t bytes) { return (bytes + page() - 1) / page() * page(); }

// The blocks that there are, for the message of whoever dies of one.
struct Blocks {
  std::mutex mutex;
  std::map<std::byte*, std::size_t> bytes;  // by the first byte of a block
};

Blocks& blocks() {
  static auto* const all = new Blocks();  // some are released by destructors of static variables
  return *all;
}

void say_which_block(int signal, siginfo_t* info, void* /*context*/) {
  auto* const at = static_cast<std::byte*>(info->si_addr);
  for (const auto& [block, bytes] : blocks().bytes) {
    if (at < block - kWithoutAccess || at >= block + bytes + kWithoutAccess) continue;
    std::fprintf(stderr, "access to byte %td of a block of %zu bytes\n", at - block, bytes);
    break;
  }
  // The access is repeated, and ends the program.
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  sigaction(signal, &usual, nullptr);
}

// Unless somebody else explains it, as sanitizers do.
void explain_faults() {
  struct sigaction before{};
  if (sigaction(SIGSEGV, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) return;
  struct sigaction own{};
  own.sa_sigaction = say_which_block;
  own.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &own, nullptr);
}

// Calls `action` for the bytes of the pages before the block and for those behind it.
template <class Action>
void beside(const Pages& pages, std::byte* block, std::size_t bytes, const Action& action) {
  action(pages.begin, block);
  action(block + bytes, pages.begin + pages.bytes);
}

}  // namespace

std::byte* allocate_guarded(std::size_t bytes, GuardedEnd end) {
  static std::once_flag once;
  std::call_once(once, explain_faults);
  Pages pages{nullptr, bytes_of_pages(bytes)};
  void* const mapped =
      mmap(nullptr, pages.mapped_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  pages.begin = static_cast<std::byte*>(mapped) + kWithoutAccess;
  if (bytes > 0 && mprotect(pages.begin, pages.bytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  std::byte* const block = end == GuardedEnd::front ? pages.begin : pages.begin + pages.bytes - bytes;
  beside(pages, block, bytes, [](std::byte* from, std::byte* to) { std::fill(from, to, kBeside); });
  if (bytes > 0) std::memset(block, 0xFF, bytes);
  const std::scoped_lock lock(blocks().mutex);
  blocks().bytes[block] = bytes;
  return block;
}

void release_guarded(void* block, std::size_t bytes) {
  auto* const first = static_cast<std::byte*>(block);
  const Pages pages{first - reinterpret_cast<std::uintptr_t>(block) % page(), bytes_of_pages(bytes)};
  beside(pages, first, bytes, [&](const std::byte* from, const std::byte* to) {
    const std::byte* const written = std::find_if(from, to, [](std::byte byte) { return byte != kBeside; });
    if (written == to) return;
    std::fprintf(stderr, "byte %td of a block of %zu bytes was written\n", written - first, bytes);
    std::abort();
  });
  const std::scoped_lock lock(blocks().mutex);
  blocks().bytes.erase(first);
  munmap(pages.mapped(), pages.mapped_bytes());
}

}  // namespace tarn::test
