// What the kernels run on: the instruction set, chosen once, and the pool of threads.

#ifndef UNROLL_MACHINE_H
#define UNROLL_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/// The levels at which a layer can run, each asking more of the machine than the one before.
enum {
  UNROLL_PLAIN = 0,     ///< the plain twin of plain/, step by step: the oracle
  UNROLL_BASELINE = 1,  ///< what the compiler may use everywhere: SSE2 on x86-64, NEON on arm64
  UNROLL_AVX2 = 2,      ///< AVX2 and FMA
  UNROLL_AVX512 = 3,    ///< AVX-512 F, BW, DQ, VL
  UNROLL_LEVEL_COUNT = 4,
};

/// The best level that this machine and its system support.
int unroll_best_level(void);
/// The level that kernels called by this thread use: forced for the thread, or named by
/// UNROLL_ISA (plain, baseline, avx2, avx512; one that the machine lacks is not taken), or the best.
int unroll_level(void);
/// Forces a level that the machine has for this thread's calls; -1 ends it. Returns what was forced before, or -1.
int unroll_force_level(int level);
/// The name by which UNROLL_ISA knows a level.
const char *unroll_level_name(int level);

/// The threads that a pass may use, this one included: forced for the thread, or the process's
/// setting, or UNROLL_THREADS, or the cores that affinity and control group leave. Within a body of
/// unroll_parallel, which shares no work of its own, one more than the thread's number.
int unroll_thread_count(void);
/// Sets the process's number of threads; 0 returns to the default.
void unroll_set_thread_count(int count);
/// Forces a number of threads for this thread's calls; 0 ends it. Returns what was forced before, or 0.
int unroll_force_thread_count(int count);
/// The cores that a process is bound to, 0 being this one; 0 where that is not known.
int unroll_bound_cores(int process);

/// The cores that the process may use: affinity and control group respected.
int unroll_available_cores(void);

/// Calls `body` for every index below `count`, on several threads, and returns when all are done.
/// A pool that is in use elsewhere does not wait: this thread then does it all. Nothing is
/// allocated once the pool's threads have started. The child of a fork starts threads of its own.
void unroll_parallel(ptrdiff_t count, void (*body)(void *context, ptrdiff_t index),
                     void *context);
/// The number of the thread that runs a body: 0 for the caller, below `unroll_thread_count`.
int unroll_worker_index(void);

/// Memory of this size in bytes, aligned to a power of two; null where the machine does not have it.
void *unroll_allocate(size_t size, size_t alignment);
/// Returns memory that `unroll_allocate` gave.
void unroll_deallocate(void *memory);

/// The size of a large page, to which what asks for them is aligned.
enum { UNROLL_LARGE_PAGE = 1 << 21 };
/// Asks the system for large pages where `start` begins one.
void unroll_prefer_large_pages(void *start, size_t size);

/// Multiply-adds on registers alone, the level's limit; returns the flops done.
double unroll_peak_f32(ptrdiff_t rounds);
double unroll_peak_f64(ptrdiff_t rounds);

#endif
