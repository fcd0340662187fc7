// AVX2 and FMA: 16 registers of 32 bytes.

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>

// prfchw: where a machine lacks it, the instruction does nothing.
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)

#define LEVEL avx2
#define VECTOR_BYTES 32
#define FUSED 1
#define TILE_ROWS 6
#define TILE_VECTORS 2

static inline __attribute__((always_inline)) __m256i first_of_8(ptrdiff_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline __attribute__((always_inline)) __m256i first_of_4(ptrdiff_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
#define PART_LOAD_F32(from, count) _mm256_maskload_ps(from, first_of_8(count))
#define PART_STORE_F32(to, value, count) _mm256_maskstore_ps(to, first_of_8(count), value)
#define PART_LOAD_F64(from, count) _mm256_maskload_pd(from, first_of_4(count))
#define PART_STORE_F64(to, value, count) _mm256_maskstore_pd(to, first_of_4(count), value)

#include "level.h"

#pragma clang attribute pop

#endif
