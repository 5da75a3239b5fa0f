/* Memory between pages without access, for programs that tests build. To be included first. */
#ifndef GUARDED_MEMORY_H
#define GUARDED_MEMORY_H

#define _DEFAULT_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* `bytes` bytes that begin, where at_front, or else end where a page without access ends or begins: there to the byte.
 * They are ones at first, NaNs where they are taken for numbers. */
static void* guarded(size_t bytes, int at_front) {
  const size_t page = 4096, without_access = (size_t)1 << 20, pages = (bytes + page - 1) / page * page;
  unsigned char* begin = (unsigned char*)mmap(NULL, pages + 2 * without_access, PROT_NONE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == (unsigned char*)MAP_FAILED) return NULL;
  begin += without_access;
  if (pages > 0 && mprotect(begin, pages, PROT_READ | PROT_WRITE) != 0) return NULL;
  memset(begin, 0xFF, pages);
  return at_front ? begin : begin + (pages - bytes);
}

#endif
