// One instruction set's vectors of one number type: loads, stores and the operations on which the rest is written.
//
// A vector is a clang extended vector of WIDTH numbers. Addresses need the alignment of a number only.

#ifndef UNROLL_VECTOR_H
#define UNROLL_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef REAL_BITS  // a header that is read alone: the baseline, float32
#define REAL_BITS 32
#include "../isa/baseline.h"
#endif

// The same bits whatever flags the compiler is given: products and sums are fused as written in one expression.
#ifdef __FAST_MATH__
#error "Unroll's results depend on the order of operations; do not compile it with -ffast-math"
#endif
#pragma clang fp contract(on)

#define INLINE static inline __attribute__((always_inline, unused))
#define UNROLL_ALL _Pragma("clang loop unroll(full)")

#if REAL_BITS == 32
typedef float real;
typedef int32_t integer;
#else
typedef double real;
typedef int64_t integer;
#endif

// The shuffles that transposes need, for each number of lanes: the low or high halves of two vectors interleaved, the same
// within each half, two low halves joined, and the high half moved to the low one.
#if VECTOR_BYTES * 8 / REAL_BITS == 16
#define INTERLEAVE_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, \
                          31)
#define INTERLEAVE_LOW_HALVES(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27)
#define INTERLEAVE_HIGH_HALVES(a, b) \
  __builtin_shufflevector(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_HALVES(a, b) \
  __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define HIGH_HALF(a) \
  __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)
#elif VECTOR_BYTES * 8 / REAL_BITS == 8
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define INTERLEAVE_LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define INTERLEAVE_HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH_HALF(a) __builtin_shufflevector(a, a, 4, 5, 6, 7, 4, 5, 6, 7)
#elif VECTOR_BYTES * 8 / REAL_BITS == 4
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define INTERLEAVE_LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define INTERLEAVE_HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH_HALF(a) __builtin_shufflevector(a, a, 2, 3, 2, 3)
#elif VECTOR_BYTES * 8 / REAL_BITS == 2
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 2)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 1, 3)
#define INTERLEAVE_LOW_HALVES(a, b) (a)  // halves of one number are not interleaved
#define INTERLEAVE_HIGH_HALVES(a, b) (b)
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_HALF(a) __builtin_shufflevector(a, a, 1, 1)
#endif

#define WIDTH (VECTOR_BYTES / (int)sizeof(real))

typedef real vector __attribute__((ext_vector_type(WIDTH)));
typedef integer integers __attribute__((ext_vector_type(WIDTH)));
typedef vector unaligned_vector __attribute__((aligned(sizeof(real))));

INLINE vector splat(real value) { return (vector)(value); }
INLINE vector load(const real *from) { return *(const unaligned_vector *)from; }
INLINE void store(real *to, vector value) { *(unaligned_vector *)to = value; }

#if FUSED
#define MULTIPLY_ADD(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

// The first `count` numbers of a vector, the others 0; count is 1 ... WIDTH.
INLINE vector load_part(const real *from, ptrdiff_t count) {
  if (count >= WIDTH) return load(from);
#ifdef PART_LOAD
  return PART_LOAD(from, count);
#else
  vector value = (vector)(0);
  for (int i = 0; i < WIDTH; ++i) {
    if (i < count) value[i] = from[i];
  }
  return value;
#endif
}

INLINE void store_part(real *to, vector value, ptrdiff_t count) {
  if (count >= WIDTH) {
    store(to, value);
    return;
  }
#ifdef PART_STORE
  PART_STORE(to, value, count);
#else
  for (int i = 0; i < WIDTH; ++i) {
    if (i < count) to[i] = value[i];
  }
#endif
}

// Transposes a square of vectors: halves are interleaved log2(WIDTH) times.
INLINE void transpose_square(vector *square) {
  UNROLL_ALL
  for (int step = 1; step < WIDTH; step *= 2) {
    vector next[WIDTH];
    UNROLL_ALL
    for (int i = 0; i < WIDTH / 2; ++i) {
      next[2 * i] = INTERLEAVE_LOW(square[i], square[i + WIDTH / 2]);
      next[2 * i + 1] = INTERLEAVE_HIGH(square[i], square[i + WIDTH / 2]);
    }
    for (int i = 0; i < WIDTH; ++i) square[i] = next[i];
  }
}

// Each number in its predecessor's place, the first one in the last place.
INLINE vector rotate(vector value) {
  vector next = value;
  UNROLL_ALL
  for (int i = 0; i < WIDTH; ++i) next[i] = value[(i + 1) % WIDTH];
  return next;
}

// The sum of a vector's numbers, halves first: one fixed order.
INLINE real vector_sum(vector value) {
  real parts[WIDTH];
  for (int i = 0; i < WIDTH; ++i) parts[i] = value[i];
  for (int half = WIDTH / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
  }
  return parts[0];
}

// Runs the statements for j = 0, WIDTH, 2 WIDTH ... with n numbers left to do in each vector; n is a
// constant but for the last, partial one.
#define FOR_VECTORS(count, ...)                              \
  {                                                          \
    ptrdiff_t j = 0;                                         \
    for (; j + WIDTH <= (count); j += WIDTH) {               \
      const ptrdiff_t n = WIDTH;                             \
      (void)n;                                               \
      __VA_ARGS__                                            \
    }                                                        \
    if (j < (count)) {                                       \
      const ptrdiff_t n = (count)-j;                         \
      (void)n;                                               \
      __VA_ARGS__                                            \
    }                                                        \
  }

INLINE ptrdiff_t padded(ptrdiff_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

static void fill(real *restrict to, real value, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) to[j] = value;
}

INLINE void copy(real *to, const real *from, ptrdiff_t count) {
  if (to != from) memmove(to, from, (size_t)count * sizeof(real));
}

static void add_to(real *restrict to, const real *restrict from, ptrdiff_t count) {
  FOR_VECTORS(count, { store_part(to + j, load_part(to + j, n) + load_part(from + j, n), n); })
}

#endif
