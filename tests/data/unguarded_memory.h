/* Stands for guarded_memory.h where there are no pages; to be included before it (cc -include). */
#ifndef GUARDED_MEMORY_H
#define GUARDED_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Aligned as pages would be as far as a model asks for; ones at first. */
static void* guarded(size_t bytes, int at_front) {
  const size_t alignment = 64;
  unsigned char* const memory = (unsigned char*)malloc(bytes + alignment);
  (void)at_front;
  if (memory == NULL) return NULL;
  memset(memory, 0xFF, bytes + alignment);
  return memory + (alignment - (uintptr_t)memory % alignment) % alignment;
}

#endif
