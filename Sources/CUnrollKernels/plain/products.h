// Products, sums and copies. Included by float32.c and float64.c, which define REAL and
// NAME; see unroll_kernels.h for what each function promises.

// One row of the product: out[n] += sum over k of a[k] b[k,:]. Four steps of k share one pass
// over the output, which stays in the first-level cache.
static inline void NAME(row_product)(REAL *restrict out, const REAL *restrict a,
                                     const REAL *restrict b, ptrdiff_t ldb, ptrdiff_t k,
                                     ptrdiff_t n) {
  ptrdiff_t p = 0;
  for (; p + 4 <= k; p += 4) {
    const REAL a0 = a[p], a1 = a[p + 1], a2 = a[p + 2], a3 = a[p + 3];
    const REAL *b0 = b + p * ldb, *b1 = b0 + ldb, *b2 = b1 + ldb, *b3 = b2 + ldb;
    for (ptrdiff_t j = 0; j < n; ++j) {
      REAL sum = out[j];
      sum += a0 * b0[j];
      sum += a1 * b1[j];
      sum += a2 * b2[j];
      sum += a3 * b3[j];
      out[j] = sum;
    }
  }
  for (; p < k; ++p) {
    const REAL a0 = a[p];
    const REAL *b0 = b + p * ldb;
    for (ptrdiff_t j = 0; j < n; ++j) out[j] += a0 * b0[j];
  }
}

void NAME(unroll_product)(REAL *restrict out, ptrdiff_t ldout, const REAL *restrict a,
                          ptrdiff_t lda, const REAL *restrict b, ptrdiff_t ldb, ptrdiff_t m,
                          ptrdiff_t k, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    NAME(row_product)(out + i * ldout, a + i * lda, b, ldb, k, n);
  }
}

void NAME(unroll_product_tn)(REAL *restrict out, ptrdiff_t ldout, const REAL *restrict a,
                             ptrdiff_t lda, const REAL *restrict b, ptrdiff_t ldb, ptrdiff_t m,
                             ptrdiff_t k, ptrdiff_t n) {
  // Column i of a is gathered in pieces that fit the stack, so that each output row is one
  // row product.
  enum { PIECE = 256 };
  REAL column[PIECE];
  for (ptrdiff_t first = 0; first < m; first += PIECE) {
    const ptrdiff_t count = m - first < PIECE ? m - first : PIECE;
    for (ptrdiff_t i = 0; i < k; ++i) {
      for (ptrdiff_t r = 0; r < count; ++r) column[r] = a[(first + r) * lda + i];
      NAME(row_product)(out + i * ldout, column, b + first * ldb, ldb, count, n);
    }
  }
}

void NAME(unroll_transpose)(REAL *restrict out, const REAL *restrict a, ptrdiff_t m, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) out[j * m + i] = a[i * n + j];
  }
}

void NAME(unroll_column_sums)(REAL *restrict out, const REAL *restrict a, ptrdiff_t m,
                              ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) out[j] += a[i * n + j];
  }
}

void NAME(unroll_fill_rows)(REAL *restrict out, const REAL *restrict row, ptrdiff_t m,
                            ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) out[i * n + j] = row[j];
  }
}

void NAME(unroll_replace_inactive)(REAL *restrict out, const REAL *restrict other,
                                   const uint8_t *active, ptrdiff_t m, ptrdiff_t n) {
  if (!active) return;
  for (ptrdiff_t i = 0; i < m; ++i) {
    if (active[i]) continue;
    for (ptrdiff_t j = 0; j < n; ++j) out[i * n + j] = other ? other[i * n + j] : 0;
  }
}

void NAME(unroll_add_rows)(REAL *restrict out, const REAL *restrict a, REAL scale,
                           const uint8_t *active, ptrdiff_t m, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < m; ++i) {
    if (active && !active[i]) continue;
    for (ptrdiff_t j = 0; j < n; ++j) out[i * n + j] += scale * a[i * n + j];
  }
}

void NAME(unroll_clip)(REAL *restrict values, REAL limit, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) {
    const REAL v = values[j];
    values[j] = v > limit ? limit : v < -limit ? -limit : v;
  }
}

void NAME(unroll_clip_backward)(REAL *restrict gradient, const REAL *restrict values, REAL limit,
                                ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) {
    if (values[j] >= limit || values[j] <= -limit) gradient[j] = 0;
  }
}
