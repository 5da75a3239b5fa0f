// Memory of this process, by what glibc and Linux offer. See process_memory.h.
#include "tools/driver/process_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace tarn {

namespace {

// Segments that nothing writes, relocations included, are as they stand in the file.
int release_code(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uint64_t address = object->dlpi_addr + segment.p_vaddr, begin = (address + page - 1) / page * page;
    const std::uint64_t end = (address + segment.p_memsz) / page * page;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 1;  // the first object is the program itself
}

}  // namespace

void release_compiler_memory() {
  ::malloc_trim(0);
  dl_iterate_phdr(release_code, nullptr);
}

// Not that of getrusage(): it begins with what the parent had.
std::uint64_t most_resident_bytes() {
  constexpr std::uint64_t kKibibyte = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * kKibibyte;
  }
  return 0;
}

}  // namespace tarn
