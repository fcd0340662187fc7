// AVX-512 F, BW, DQ, VL: 32 registers of 64 bytes.

#ifndef UNROLL_ISA_H
#define UNROLL_ISA_H

#include <immintrin.h>

// prfchw: where a machine lacks it, the instruction does nothing.
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prfchw"))), apply_to = function)

#define VECTOR_BYTES 64
#define FUSED 1
#define TILE_ROWS 6
#define TILE_VECTORS 4

#if REAL_BITS == 32
#define PART_LOAD(from, count) _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), from)
#define PART_STORE(to, value, count) _mm512_mask_storeu_ps(to, (__mmask16)((1u << (count)) - 1), value)
// Each number's place, its low five bits, in a table of 32 floats.
#define LOOK_UP(table, places)                                                                                  \
  (vector)_mm512_permutex2var_ps(_mm512_load_ps(table), (__m512i)(places), _mm512_load_ps((table) + 16))
#define ANY_ABOVE_31(bits) (_mm512_test_epi32_mask((__m512i)(bits), _mm512_set1_epi32(~31)) != 0)
#else
#define PART_LOAD(from, count) _mm512_maskz_loadu_pd((__mmask8)((1u << (count)) - 1), from)
#define PART_STORE(to, value, count) _mm512_mask_storeu_pd(to, (__mmask8)((1u << (count)) - 1), value)
#endif

#endif
