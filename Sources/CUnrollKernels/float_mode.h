// The floating-point mode in which kernels compute, in every thread that runs them; the caller's is restored at the end.
// Rounding is to nearest, on which vector/math.h depends. In float32, subnormal numbers are taken as zero and become zero:
// a sequence that vanishes costs no more than any other. In float64 they are kept.
//
// Restoring the mode on x86-64 also restores the exception flags, which kernels do not report.

#ifndef UNROLL_FLOAT_MODE_H
#define UNROLL_FLOAT_MODE_H

#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

typedef uint64_t unroll_float_mode;

static inline unroll_float_mode unroll_get_float_mode(void) {
#if defined(__x86_64__)
  return _mm_getcsr();
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#else
  return 0;
#endif
}

static inline void unroll_set_float_mode(unroll_float_mode mode) {
#if defined(__x86_64__)
  _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
  (void)mode;
#endif
}

/// Sets the mode of kernels; returns the mode to restore.
static inline unroll_float_mode unroll_enter_kernels(int flushes_subnormals) {
  const unroll_float_mode before = unroll_get_float_mode();
#if defined(__x86_64__)
  const unroll_float_mode rounding = 0x6000, flushing = 0x8040;  // also subnormal operands
#elif defined(__aarch64__)
  const unroll_float_mode rounding = 3u << 22, flushing = 1u << 24;
#else
  const unroll_float_mode rounding = 0, flushing = 0;
#endif
  unroll_set_float_mode((before & ~(rounding | flushing)) | (flushes_subnormals ? flushing : 0));
  return before;
}

#endif
