// Products with weights in bf16, the upper half of a float32. A step reads half the bytes; states and sums stay float32.
//
// Panels are those of product.h, but two weights share a 32-bit word: the low half of word i is weight i of a vector, the
// high half weight i of the next one. A shift widens the low weight. The high weight is used as it is, with the low weight
// in its low 16 mantissa bits; its upper half is chosen so that the resulting float is nearest to the original, at most
// 1 part in 256 off. With UNROLL_BF16_EXACT a mask clears the low bits: weights that are bf16 already keep their value, and
// infinite ones stay infinite.

#ifndef UNROLL_BF16_H
#define UNROLL_BF16_H

#include "product.h"
#include "unroll_layer.h"

#if REAL_BITS == 32

// The nearest bf16, ties to even; NaN stays NaN, and a finite value stays finite.
INLINE uint32_t bf16_of(real value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (bits >> 16) | 0x40;
  const uint32_t half = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (half & 0x7fff) == 0x7f80 && (bits & 0x7fffffff) != 0x7f800000 ? half - 1 : half;
}

// The upper half of the word that, with the given lower half, is nearest to a finite value.
INLINE uint32_t bf16_above(real value, uint32_t low) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const int64_t most = 0x7f7f, high = ((int64_t)(bits & 0x7fffffff) - low + 0x8000) >> 16;
  return (uint32_t)(high < 0 ? 0 : high > most ? most : high) | (bits >> 31 << 15);
}

enum { HAS_LONG_WEIGHTS = 1, HAS_INFINITE_WEIGHTS = 2 };

// Whether some weights are not bf16 already, and whether some are not finite.
static int scan_weights(const real *b, ptrdiff_t count) {
  uint32_t lost = 0, infinite = 0;
  for (ptrdiff_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, b + i, sizeof bits);
    infinite |= (bits & 0x7f800000) == 0x7f800000;
    lost |= bits & 0xffff;
  }
  return (lost ? HAS_LONG_WEIGHTS : 0) | (infinite ? HAS_INFINITE_WEIGHTS : 0);
}

// Packs two vectors of a row, of which `count` numbers are there.
static void pack_bf16_pair(uint32_t *packed, const real *row, ptrdiff_t count, int kind) {
  for (ptrdiff_t i = 0; i < WIDTH; ++i) {
    const real above = WIDTH + i < count ? row[WIDTH + i] : 0;
    const uint32_t below = i < count ? bf16_of(row[i]) : 0;
    packed[i] = below | (kind == UNROLL_BF16_EXACT ? bf16_of(above)
                                                     : bf16_above(above, below)) << 16;
  }
}

// Packs b[k,n], whose rows stand `ldb` apart.
static void pack_bf16(uint32_t *packed, const real *b, ptrdiff_t ldb, ptrdiff_t k,
                            ptrdiff_t n, int kind) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    for (ptrdiff_t p = 0; p < k; ++p) {
      const real *row = b + p * ldb + first;
      for (ptrdiff_t pair = 0; pair < columns; pair += 2 * WIDTH, packed += WIDTH) {
        pack_bf16_pair(packed, row + pair, columns - pair, kind);
      }
    }
  }
}

typedef uint32_t words __attribute__((ext_vector_type(WIDTH)));
typedef words unaligned_words __attribute__((aligned(4)));

INLINE vector low_weights(words both) { return (vector)(both << 16); }

INLINE vector high_weights(words both, const int kind) {
  return (vector)(kind == UNROLL_BF16_EXACT ? both & 0xffff0000 : both);
}

INLINE void bf16_tile(real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                            const uint32_t *b, ptrdiff_t k, ptrdiff_t columns, const real *start,
                            int from, const int rows, const int pairs, const int kind) {
  vector sums[4][TILE_VECTORS];
  for (int v = 0; v < 2 * pairs; ++v) {
    const ptrdiff_t n = columns - v * WIDTH;
    for (int r = 0; r < rows; ++r) {
      const real *place = from == FROM_OUTPUT ? out + r * ldout : start;
      sums[r][v] = place && n > 0 ? load_part(place + v * WIDTH, n) : splat(0);
    }
  }
  for (ptrdiff_t p = 0; p < k; ++p) {
    vector column[TILE_VECTORS];
    UNROLL_ALL for (int pair = 0; pair < pairs; ++pair) {
      const words both = *(const unaligned_words *)(b + pair * WIDTH);
      column[2 * pair] = low_weights(both);
      column[2 * pair + 1] = high_weights(both, kind);
    }
    b += pairs * WIDTH;
    UNROLL_ALL for (int r = 0; r < rows; ++r) {
      const vector factor = splat(a[r * lda + p]);
      UNROLL_ALL for (int v = 0; v < 2 * pairs; ++v) {
        sums[r][v] = MULTIPLY_ADD(factor, column[v], sums[r][v]);
      }
    }
  }
  for (int v = 0; v < 2 * pairs; ++v) {
    const ptrdiff_t n = columns - v * WIDTH;
    for (int r = 0; r < rows; ++r) {
      if (n > 0) store_part(out + r * ldout + v * WIDTH, sums[r][v], n);
    }
  }
}

INLINE void bf16_product_of(real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                                  const uint32_t *packed, ptrdiff_t k, ptrdiff_t n, ptrdiff_t rows,
                                  const real *start, int from, const int kind) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t pairs = (columns + 2 * WIDTH - 1) / (2 * WIDTH);
    const real *from_row = start ? start + first : start;
    for (ptrdiff_t row = 0; row < rows;) {
      real *to = out + row * ldout + first;
      const real *x = a + row * lda;
      const int many = rows - row >= 4;
#define BF16_TILE(ROWS, PAIRS)                                                                     \
  bf16_tile(to, ldout, x, lda, packed, k, columns, from_row, from, ROWS, PAIRS, kind)
      if (pairs == TILE_VECTORS / 2) {
        many ? BF16_TILE(4, TILE_VECTORS / 2) : BF16_TILE(1, TILE_VECTORS / 2);
      } else {
        many ? BF16_TILE(4, 1) : BF16_TILE(1, 1);
      }
#undef BF16_TILE
      row += many ? 4 : 1;
    }
    packed += k * pairs * WIDTH;
  }
}

static void bf16_product(real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                               const uint32_t *packed, ptrdiff_t k, ptrdiff_t n, ptrdiff_t rows,
                               const real *start, int from, int kind) {
  if (kind == UNROLL_BF16_EXACT) {
    bf16_product_of(out, ldout, a, lda, packed, k, n, rows, start, from, UNROLL_BF16_EXACT);
  } else {
    bf16_product_of(out, ldout, a, lda, packed, k, n, rows, start, from, UNROLL_BF16_NEAREST);
  }
}

#endif
#endif
