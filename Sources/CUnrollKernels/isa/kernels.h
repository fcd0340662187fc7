// What one instruction set has for one number type: sizes that a plan needs, and functions.

#ifndef UNROLL_KERNEL_TABLE_H
#define UNROLL_KERNEL_TABLE_H

#include "unroll_arrays.h"
#include "unroll_dense.h"
#include "unroll_layer.h"
#include "unroll_machine.h"

// UNROLL_BASELINE_ONLY leaves the other instruction sets out: builds with sanitizers take minutes for each.
#if defined(__x86_64__) && !defined(UNROLL_BASELINE_ONLY)
#define UNROLL_HAS_AVX 1
#else
#define UNROLL_HAS_AVX 0
#endif

typedef struct {
  ptrdiff_t width;         ///< numbers in a vector
  ptrdiff_t tile_vectors;  ///< vectors in a row of a panel
  ptrdiff_t tile_rows;
  /// Numbers that a product a^T b over m rows takes, where a has k columns at most.
  ptrdiff_t (*transposed_scratch)(ptrdiff_t m, ptrdiff_t k);
  void (*pack)(unroll_plan *, const unroll_weights *, void *packed);
  void (*forward)(const unroll_plan *, const unroll_weights *, const void *packed, const unroll_sequence *);
  void (*backward)(const unroll_plan *, const unroll_weights *, const unroll_sequence *, const unroll_gradients *);
  void (*stream_step)(unroll_stream *);
  void (*dense_forward)(const unroll_dense *, void *out);
  void (*dense_backward)(const unroll_dense *, const unroll_dense_gradients *);
  ptrdiff_t (*dense_scratch)(const unroll_dense *);
  void (*softmax)(const unroll_softmax *);
  double (*sum_of_squares)(const void *values, ptrdiff_t count, int threads);
  void (*update)(const unroll_update *, void *parameters, const void *gradient, void *first, void *second,
                 ptrdiff_t count);
  void (*drop)(void *values, ptrdiff_t count, const unroll_dropout *, int threads);
  void (*transposed_sum)(const unroll_transposed_sum *);
  void (*apply_function)(void *out, const void *in, ptrdiff_t count, int32_t function);
  double (*multiply_add_peak)(ptrdiff_t rounds, void *sink);
} unroll_kernels;

/// float32 and float64 of each instruction set, and the plain path of both types, which has no arrays' functions.
extern const unroll_kernels unroll_kernels_plain_f32, unroll_kernels_plain_f64;
extern const unroll_kernels unroll_kernels_baseline_f32, unroll_kernels_baseline_f64;
#if UNROLL_HAS_AVX
extern const unroll_kernels unroll_kernels_avx2_f32, unroll_kernels_avx2_f64;
extern const unroll_kernels unroll_kernels_avx512_f32, unroll_kernels_avx512_f64;
#endif

/// The plain functions of arrays (unroll_arrays.h).
typedef struct {
  void (*product)(void *out, const void *a, const void *b, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n);
  void (*transpose)(void *out, const void *a, ptrdiff_t m, ptrdiff_t n);
  void (*column_sums)(void *out, const void *a, ptrdiff_t m, ptrdiff_t n);
  void (*fill_rows)(void *out, const void *row, ptrdiff_t m, ptrdiff_t n);
  void (*replace_inactive)(void *out, const void *other, const uint8_t *active, ptrdiff_t m, ptrdiff_t n);
  void (*add_scaled)(void *out, const void *a, double scale, ptrdiff_t count);
  void (*clip)(void *values, double limit, ptrdiff_t count);
  void (*activate)(void *values, unroll_activation function, ptrdiff_t count);
} unroll_plain_arrays;
extern const unroll_plain_arrays unroll_plain_arrays_f32, unroll_plain_arrays_f64;

/// The kernels of an instruction set that the machine has. UNROLL_PLAIN has the baseline's functions of arrays.
const unroll_kernels *unroll_kernels_of(int32_t isa, int32_t type);

#endif
