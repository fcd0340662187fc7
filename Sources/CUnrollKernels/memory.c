// The memory of arrays. Large ones get pages of 2 MB: a product that walks down a column of a wide matrix
// touches a page for every row, more than the processor remembers of small ones.

#define _GNU_SOURCE
#include "unroll_machine.h"

#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/sysinfo.h>
#endif

// Whether the machine has that much memory at all. A system that promises memory before it has it would
// otherwise kill the process at the first write, without a word.
static int machine_has(size_t size) {
#if defined(__linux__)
  struct sysinfo info;
  if (size < (size_t)1 << 30 || sysinfo(&info) != 0) return 1;
  return size / info.mem_unit <= info.totalram + info.totalswap;
#else
  (void)size;
  return 1;
#endif
}

void *unroll_allocate(size_t size, size_t alignment) {
  void *memory = 0;
  if (!machine_has(size) || posix_memalign(&memory, alignment, size) != 0) return 0;
  return memory;
}

void unroll_deallocate(void *memory) { free(memory); }

void unroll_prefer_large_pages(void *start, size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // A wish: where the system has none to give, small pages serve.
  (void)madvise(start, size, MADV_HUGEPAGE);
#else
  (void)start;
  (void)size;
#endif
}
