// AVX-512: 32 registers of 64 bytes.

#if defined(__x86_64__)

#include <immintrin.h>

// prfchw: where a machine lacks it, the instruction does nothing.
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prfchw"))), apply_to = function)

#define LEVEL avx512
#define VECTOR_BYTES 64
#define FUSED 1
#define TILE_ROWS 6
#define TILE_VECTORS 4

#define PART_LOAD_F32(from, count) \
  _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), from)
#define PART_STORE_F32(to, value, count) \
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << (count)) - 1), value)
#define PART_LOAD_F64(from, count) _mm512_maskz_loadu_pd((__mmask8)((1u << (count)) - 1), from)
#define PART_STORE_F64(to, value, count) \
  _mm512_mask_storeu_pd(to, (__mmask8)((1u << (count)) - 1), value)
// Each number's place, its low five bits, in a table of 32 floats.
#define LOOK_UP_F32(table, places)                                              \
  (NAME(vector))_mm512_permutex2var_ps(_mm512_load_ps(table), (__m512i)(places), \
                                       _mm512_load_ps((table) + 16))
#define ANY_ABOVE_31_F32(bits) \
  (_mm512_test_epi32_mask((__m512i)(bits), _mm512_set1_epi32(~31)) != 0)

#include "level.h"

#pragma clang attribute pop

#endif
