// Pages of 2 MB for large arrays: a product that walks down a column of a wide matrix touches a page
// for every row, more than the processor remembers of small ones.

#define _GNU_SOURCE
#include "unroll_machine.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

void unroll_prefer_large_pages(void *start, size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // A wish: where the system has none to give, small pages serve.
  (void)madvise(start, size, MADV_HUGEPAGE);
#else
  (void)start;
  (void)size;
#endif
}
