// One level of the fast kernels: both element types and the table of their functions. Included by
// each level's file, which defines LEVEL, VECTOR_BYTES, FUSED, TILE_VECTORS, TILE_ROWS and the
// target's attribute.

#include <stdint.h>
#include <string.h>

#include "../float_mode.h"
#include "level_table.h"
#include "unroll_layer.h"
#include "unroll_machine.h"

#define INLINE static inline __attribute__((always_inline, unused))
#define JOIN_PARTS(a, b, c) a##_##b##_##c
#define JOIN(a, b, c) JOIN_PARTS(a, b, c)

#define REAL float
#define REAL_BITS 32
#define INTEGER int32_t
#define NAME(name) JOIN(name, f32, LEVEL)
#ifdef PART_LOAD_F32
#define PART_LOAD PART_LOAD_F32
#define PART_STORE PART_STORE_F32
#endif
#if VECTOR_BYTES == 64
#define INTERLEAVE_LOW(a, b)                                                                  \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b)                                                                 \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VECTOR_BYTES == 32
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif
#include "../fast/body.h"
#undef REAL
#undef REAL_BITS
#undef INTEGER
#undef NAME
#undef PART_LOAD
#undef PART_STORE
#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH

#define REAL double
#define REAL_BITS 64
#define INTEGER int64_t
#define NAME(name) JOIN(name, f64, LEVEL)
#ifdef PART_LOAD_F64
#define PART_LOAD PART_LOAD_F64
#define PART_STORE PART_STORE_F64
#endif
#if VECTOR_BYTES == 64
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif VECTOR_BYTES == 32
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#endif
#include "../fast/body.h"

#define TABLE(TYPE)                                                                 \
  {                                                                                 \
    .packed_count = JOIN(packed_count, TYPE, LEVEL),                                \
    .forward_scratch = JOIN(forward_scratch, TYPE, LEVEL),                          \
    .backward_scratch = JOIN(backward_scratch, TYPE, LEVEL),                        \
    .pack = JOIN(pack_forward, TYPE, LEVEL), .forward = JOIN(forward, TYPE, LEVEL), \
    .backward = JOIN(backward, TYPE, LEVEL),                                        \
  }

#define LEVEL_TABLES_OF(level) unroll_tables_##level
#define LEVEL_TABLES(level) LEVEL_TABLES_OF(level)
const unroll_table LEVEL_TABLES(LEVEL)[2] = {TABLE(f32), TABLE(f64)};
