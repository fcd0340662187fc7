// One level of the fast kernels: both element types and the table of their functions. Included by
// each level's file, which defines LEVEL, VECTOR_BYTES, FUSED, TILE_VECTORS, TILE_ROWS and the
// target's attribute.

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../float_mode.h"
#include "level_table.h"
#include "unroll_dense.h"
#include "unroll_kernels.h"
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
#ifdef LOOK_UP_F32
#define LOOK_UP LOOK_UP_F32
#define ANY_ABOVE_31 ANY_ABOVE_31_F32
#endif
#include "../fast/shuffles.h"
#include "../fast/body.h"
#undef REAL
#undef REAL_BITS
#undef INTEGER
#undef NAME
#undef PART_LOAD
#undef PART_STORE
#undef LOOK_UP
#undef ANY_ABOVE_31

#define REAL double
#define REAL_BITS 64
#define INTEGER int64_t
#define NAME(name) JOIN(name, f64, LEVEL)
#ifdef PART_LOAD_F64
#define PART_LOAD PART_LOAD_F64
#define PART_STORE PART_STORE_F64
#endif
#include "../fast/shuffles.h"
#include "../fast/body.h"

#define OF_f32(f) {.f32 = f}
#define OF_f64(f) {.f64 = f}
#define TABLE(TYPE)                                                                 \
  {                                                                                 \
    .tape_lanes = JOIN(tape_lanes, TYPE, LEVEL),                                    \
    .packed_count = JOIN(packed_count, TYPE, LEVEL),                                \
    .forward_scratch = JOIN(forward_scratch, TYPE, LEVEL),                          \
    .backward_scratch = JOIN(backward_scratch, TYPE, LEVEL),                        \
    .pack = JOIN(pack_forward, TYPE, LEVEL), .forward = JOIN(forward, TYPE, LEVEL), \
    .backward = JOIN(backward, TYPE, LEVEL),                                        \
    .stream_packed = JOIN(stream_packed, TYPE, LEVEL),                              \
    .stream_pack = JOIN(stream_pack, TYPE, LEVEL),                                  \
    .dense_scratch = JOIN(dense_scratch, TYPE, LEVEL),                              \
    .peak = OF_##TYPE(JOIN(peak, TYPE, LEVEL)),                                     \
    .function = OF_##TYPE(JOIN(function, TYPE, LEVEL)),                             \
    .dense_forward = OF_##TYPE(JOIN(dense_forward, TYPE, LEVEL)),                   \
    .dense_backward = OF_##TYPE(JOIN(dense_backward, TYPE, LEVEL)),                 \
    .transposed_sum_scratch = JOIN(transposed_sum_scratch, TYPE, LEVEL),            \
    .transposed_sum = OF_##TYPE(JOIN(transposed_sum, TYPE, LEVEL)),                 \
    .softmax_cross_entropy = OF_##TYPE(JOIN(softmax_cross_entropy, TYPE, LEVEL)),   \
    .softmax = OF_##TYPE(JOIN(softmax, TYPE, LEVEL)),                               \
    .sum_of_squares = OF_##TYPE(JOIN(sum_of_squares, TYPE, LEVEL)),                 \
    .move_parameters = OF_##TYPE(JOIN(move_parameters, TYPE, LEVEL)),               \
    .drop = OF_##TYPE(JOIN(drop, TYPE, LEVEL)),                                     \
    .stack_step = JOIN(stack_step, TYPE, LEVEL),                                    \
  }

#define LEVEL_TABLES_OF(level) unroll_tables_##level
#define LEVEL_TABLES(level) LEVEL_TABLES_OF(level)
const unroll_table LEVEL_TABLES(LEVEL)[2] = {TABLE(f32), TABLE(f64)};
