// Counts what a thread asks of the allocator, for tests on Linux: malloc and its like are replaced
// in the test's executable by functions that count and hand on to glibc's own.

#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// Calls of malloc, calloc, realloc and the aligned ones by this thread so far.
uint64_t allocation_count(void);
/// Bytes that this thread has taken and not given back since the last reset.
int64_t allocation_bytes(void);
/// The most that `allocation_bytes` has been since the last reset.
int64_t allocation_peak(void);
/// Begins to count bytes anew.
void allocation_reset(void);

#endif
