#include "allocation_counter.h"

#if defined(__linux__)

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Thread_local uint64_t calls;
static _Thread_local int64_t bytes, peak;

static void *counted(void *memory) {
  calls += 1;
  if (memory) bytes += (int64_t)malloc_usable_size(memory);
  if (bytes > peak) peak = bytes;
  return memory;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = counted(__libc_memalign(alignment, size));
  return *memory ? 0 : ENOMEM;
}
void *realloc(void *memory, size_t size) {
  if (memory) bytes -= (int64_t)malloc_usable_size(memory);
  return counted(__libc_realloc(memory, size));
}
void free(void *memory) {
  if (memory) bytes -= (int64_t)malloc_usable_size(memory);
  __libc_free(memory);
}

uint64_t allocation_count(void) { return calls; }
int64_t allocation_bytes(void) { return bytes; }
int64_t allocation_peak(void) { return peak; }
void allocation_reset(void) { bytes = peak = 0; }

#endif
