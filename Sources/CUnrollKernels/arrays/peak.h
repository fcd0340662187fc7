// The machine's own limit: multiply-adds on registers alone, to which benchmarks are compared.

#ifndef UNROLL_PEAK_H
#define UNROLL_PEAK_H

#include "../vector/vector.h"

#if defined(__aarch64__)
#define REGISTER(vector) "+w"(vector)
#elif VECTOR_BYTES == 64
#define REGISTER(vector) "+v"(vector)
#else
#define REGISTER(vector) "+x"(vector)
#endif

// Runs `rounds` rounds of 160 independent vectors' multiply-adds; returns the flops done.
static double multiply_add_peak(ptrdiff_t rounds, void *sink) {
  enum { CHAINS = FUSED && VECTOR_BYTES == 64 ? 20 : 10 };
  vector sums[CHAINS];
  for (int i = 0; i < CHAINS; ++i) sums[i] = splat((real)i);
  vector factor = splat((real)0.999999), term = splat((real)1e-6);
  for (ptrdiff_t round = 0; round < rounds; ++round) {
    __asm__ volatile("" : REGISTER(factor), REGISTER(term));  // not known in advance
    for (int repeat = 0; repeat < 160 / CHAINS; ++repeat) {
      for (int i = 0; i < CHAINS; ++i) sums[i] = MULTIPLY_ADD(sums[i], factor, term);
    }
  }
  for (int i = 1; i < CHAINS; ++i) sums[0] += sums[i];
  *(real *)sink = vector_sum(sums[0]);
  return (double)rounds * 160 * WIDTH * 2;
}

#undef REGISTER

#endif
