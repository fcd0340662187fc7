// Subnormal numbers are taken as zero and become zero inside the fast kernels, in the thread that
// runs them; the mode is restored at the end. A sequence that vanishes then costs no more than
// any other, on every machine.

#ifndef UNROLL_FLOAT_MODE_H
#define UNROLL_FLOAT_MODE_H

#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

typedef uint64_t unroll_float_mode;

static inline unroll_float_mode unroll_flush_subnormals(void) {
#if defined(__x86_64__)
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040);  // flush to zero, denormals are zero
  return mode;
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | (1u << 24)));
  return mode;
#else
  return 0;
#endif
}

static inline void unroll_restore_float_mode(unroll_float_mode mode) {
#if defined(__x86_64__)
  _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
  (void)mode;
#endif
}

#endif
