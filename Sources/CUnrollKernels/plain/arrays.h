// Plain functions of arrays (unroll_arrays.h).

#ifndef UNROLL_PLAIN_ARRAYS_H
#define UNROLL_PLAIN_ARRAYS_H

#include "../isa/kernels.h"
#include "functions.h"

// One row of the product: out[n] += sum over k of a[k] b[k,:]. Four rows of b share one pass over the output.
static void row_product(real *restrict out, const real *restrict a, const real *restrict b, ptrdiff_t k, ptrdiff_t n) {
  ptrdiff_t p = 0;
  for (; p + 4 <= k; p += 4) {
    const real a0 = a[p], a1 = a[p + 1], a2 = a[p + 2], a3 = a[p + 3];
    const real *b0 = b + p * n, *b1 = b0 + n, *b2 = b1 + n, *b3 = b2 + n;
    for (ptrdiff_t j = 0; j < n; ++j) {
      real sum = out[j];
      sum += a0 * b0[j];
      sum += a1 * b1[j];
      sum += a2 * b2[j];
      sum += a3 * b3[j];
      out[j] = sum;
    }
  }
  for (; p < k; ++p) {
    for (ptrdiff_t j = 0; j < n; ++j) out[j] += a[p] * b[p * n + j];
  }
}

static void array_product(void *out, const void *a, const void *b, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) row_product((real *)out + i * n, (const real *)a + i * k, b, k, n);
}

static void array_transpose(void *out, const void *a, ptrdiff_t m, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) ((real *)out)[j * m + i] = ((const real *)a)[i * n + j];
  }
}

static void array_column_sums(void *out, const void *a, ptrdiff_t m, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) ((real *)out)[j] += ((const real *)a)[i * n + j];
  }
}

static void array_fill_rows(void *out, const void *row, ptrdiff_t m, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) ((real *)out)[i * n + j] = ((const real *)row)[j];
  }
}

static void array_replace_inactive(void *out, const void *other, const uint8_t *active, ptrdiff_t m, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    if (active[i]) continue;
    for (ptrdiff_t j = i * n; j < (i + 1) * n; ++j) ((real *)out)[j] = other ? ((const real *)other)[j] : 0;
  }
}

static void array_add_scaled(void *out, const void *a, double scale, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) ((real *)out)[j] += (real)scale * ((const real *)a)[j];
}

static void array_clip(void *values, double limit, ptrdiff_t count) {
  real *to = values;
  const real most = (real)limit;
  for (ptrdiff_t j = 0; j < count; ++j) to[j] = to[j] > most ? most : to[j] < -most ? -most : to[j];
}

static void array_activate(void *values, unroll_activation function, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) ((real *)values)[j] = plain_value(((real *)values)[j], &function);
}

#define PLAIN_ARRAYS                                                                             \
  {array_product, array_transpose, array_column_sums, array_fill_rows, array_replace_inactive,   \
   array_add_scaled, array_clip, array_activate}

#endif
