// What the kernels run on: the instruction set, chosen once, the pool of threads, and memory.

#ifndef UNROLL_MACHINE_H
#define UNROLL_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/// The instruction sets for which kernels are compiled, each asking more of the machine than the one before.
enum {
  UNROLL_PLAIN = 0,     ///< the plain path, unit by unit: the oracle
  UNROLL_BASELINE = 1,  ///< what the compiler may use everywhere: SSE2 on x86-64, NEON on arm64
  UNROLL_AVX2 = 2,      ///< AVX2 and FMA
  UNROLL_AVX512 = 3,    ///< AVX-512 F, BW, DQ, VL
  UNROLL_ISA_COUNT = 4,
};

/// The best instruction set that this machine and its system support.
int unroll_best_isa(void);
/// The one that this thread uses: forced for the thread, or named by UNROLL_ISA (plain, baseline, avx2,
/// avx512; one that the machine lacks is not taken), or the best.
int unroll_isa(void);
/// Forces an instruction set that the machine has for this thread; -1 ends it. Returns what was forced before, or -1.
int unroll_force_isa(int isa);
/// The name by which UNROLL_ISA knows an instruction set.
const char *unroll_isa_name(int isa);

/// The threads that a pass may use, this one included: forced for the thread, or the process's setting, or
/// UNROLL_THREADS, or the cores that affinity and control group leave. 1 inside a body of unroll_parallel.
int unroll_thread_count(void);
/// Sets the process's number of threads; 0 returns to the default.
void unroll_set_thread_count(int count);
/// Forces a number of threads for this thread's calls; 0 ends it. Returns what was forced before, or 0.
int unroll_force_thread_count(int count);
/// The cores that a process is bound to, 0 being this one; 0 where that is not known.
int unroll_bound_cores(int process);
/// The cores that the process may use: affinity and control group respected.
int unroll_available_cores(void);

/// Calls `body` for every index below `count`, on at most `threads` threads, and returns when all are done. `worker` tells
/// the threads of one call apart: 0 ..< threads. Threads compute in the caller's floating-point mode. If another
/// thread uses the pool, or the call comes from inside a body, the caller does all the work. Nothing is allocated
/// once the pool's threads have started. The child of a fork starts threads of its own.
void unroll_parallel(ptrdiff_t count, int threads, void (*body)(void *context, ptrdiff_t index, int worker),
                     void *context);

/// Memory of this size in bytes, aligned to a power of two; null where the machine does not have it.
void *unroll_allocate(size_t size, size_t alignment);
/// Returns memory that `unroll_allocate` gave.
void unroll_deallocate(void *memory);

/// The size of a large page, to which what asks for them is aligned.
enum { UNROLL_LARGE_PAGE = 1 << 21 };
/// Asks the system for large pages where `start` begins one.
void unroll_prefer_large_pages(void *start, size_t size);

#endif
