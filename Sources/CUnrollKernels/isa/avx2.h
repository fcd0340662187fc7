// AVX2 and FMA: 16 registers of 32 bytes.

#ifndef UNROLL_ISA_H
#define UNROLL_ISA_H

#include <immintrin.h>
#include <stddef.h>

// prfchw: where a machine lacks it, the instruction does nothing.
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)

#define VECTOR_BYTES 32
#define FUSED 1
#define TILE_ROWS 6
#define TILE_VECTORS 2

#if REAL_BITS == 32
static inline __attribute__((always_inline)) __m256i first_lanes(ptrdiff_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#define PART_LOAD(from, count) _mm256_maskload_ps(from, first_lanes(count))
#define PART_STORE(to, value, count) _mm256_maskstore_ps(to, first_lanes(count), value)
#else
static inline __attribute__((always_inline)) __m256i first_lanes(ptrdiff_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
#define PART_LOAD(from, count) _mm256_maskload_pd(from, first_lanes(count))
#define PART_STORE(to, value, count) _mm256_maskstore_pd(to, first_lanes(count), value)
#endif

#endif
