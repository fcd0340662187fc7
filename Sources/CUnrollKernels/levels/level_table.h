// The functions of one level for one element type.

#ifndef UNROLL_LEVEL_TABLE_H
#define UNROLL_LEVEL_TABLE_H

#include "unroll_dense.h"
#include "unroll_layer.h"

/// A function for one of the two types.
#define EITHER(NAME, RETURN, ARGUMENTS)  \
  union {                                \
    RETURN (*f32)(ARGUMENTS(float));     \
    RETURN (*f64)(ARGUMENTS(double));    \
  } NAME

#define PEAK_OF(REAL) ptrdiff_t, REAL *
#define FUNCTION_OF(REAL) REAL *, const REAL *, ptrdiff_t, int32_t
#define DENSE_FORWARD_OF(REAL) const unroll_dense *, REAL *
#define DENSE_BACKWARD_OF(REAL) const unroll_dense *, const REAL *, REAL *, REAL *, REAL *, int
#define TRANSPOSED_SUM_OF(REAL)                                                          \
  REAL *, ptrdiff_t, const REAL *, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t, ptrdiff_t, \
      ptrdiff_t, REAL *
#define CROSS_ENTROPY_OF(REAL) REAL *, double *, const int32_t *, ptrdiff_t, ptrdiff_t, REAL
#define SOFTMAX_OF(REAL) REAL *, ptrdiff_t, ptrdiff_t
#define SQUARES_OF(REAL) const REAL *, ptrdiff_t
#define MOVE_OF(REAL) REAL *, const REAL *, REAL *, REAL *, ptrdiff_t, const unroll_update *
#define DROP_OF(REAL) REAL *, ptrdiff_t, const unroll_dropout *

typedef struct {
  ptrdiff_t (*tape_lanes)(const unroll_layer *);
  ptrdiff_t (*packed_count)(const unroll_layer *);
  ptrdiff_t (*forward_scratch)(const unroll_layer *);
  ptrdiff_t (*backward_scratch)(const unroll_layer *);
  void (*pack)(const unroll_layer *);
  void (*forward)(const unroll_layer *);
  void (*backward)(const unroll_layer *, const unroll_layer_gradients *);
  ptrdiff_t (*stream_packed)(const unroll_layer *);
  void (*stream_pack)(unroll_layer *);
  void (*stack_step)(unroll_layer *, ptrdiff_t);
  ptrdiff_t (*dense_scratch)(const unroll_dense *);
  EITHER(peak, double, PEAK_OF);
  EITHER(function, void, FUNCTION_OF);
  EITHER(dense_forward, void, DENSE_FORWARD_OF);
  EITHER(dense_backward, void, DENSE_BACKWARD_OF);
  ptrdiff_t (*transposed_sum_scratch)(ptrdiff_t, ptrdiff_t);
  EITHER(transposed_sum, void, TRANSPOSED_SUM_OF);
  EITHER(softmax_cross_entropy, void, CROSS_ENTROPY_OF);
  EITHER(softmax, void, SOFTMAX_OF);
  EITHER(sum_of_squares, double, SQUARES_OF);
  EITHER(move_parameters, void, MOVE_OF);
  EITHER(drop, void, DROP_OF);
} unroll_table;

/// float32 and float64 of each level.
extern const unroll_table unroll_tables_baseline[2];
#if defined(__x86_64__)
extern const unroll_table unroll_tables_avx2[2];
extern const unroll_table unroll_tables_avx512[2];
#endif

#endif
