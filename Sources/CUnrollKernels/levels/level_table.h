// The functions of one level for one element type.

#ifndef UNROLL_LEVEL_TABLE_H
#define UNROLL_LEVEL_TABLE_H

#include "unroll_layer.h"

/// A function that takes arrays of one of the two types.
#define EITHER(RETURN, F32, F64) \
  union {                        \
    RETURN(*f32) F32;            \
    RETURN(*f64) F64;            \
  }

typedef struct {
  ptrdiff_t (*packed_count)(const unroll_layer *);
  ptrdiff_t (*forward_scratch)(const unroll_layer *);
  ptrdiff_t (*backward_scratch)(const unroll_layer *);
  void (*pack)(const unroll_layer *);
  void (*forward)(const unroll_layer *);
  void (*backward)(const unroll_layer *, const unroll_layer_gradients *);
  ptrdiff_t (*stream_packed)(const unroll_layer *);
  void (*stream_pack)(const unroll_layer *);
  EITHER(void, (float *, const float *, ptrdiff_t, int32_t),
         (double *, const double *, ptrdiff_t, int32_t))
  function;
  void (*stack_step)(const unroll_layer *, ptrdiff_t);
} unroll_table;

/// float32 and float64 of each level.
extern const unroll_table unroll_tables_baseline[2];
#if defined(__x86_64__)
extern const unroll_table unroll_tables_avx2[2];
extern const unroll_table unroll_tables_avx512[2];
#endif

#endif
