// Products with weights kept as bfloat16: the upper half of a float32. Half the bytes are read for
// each step; states and sums stay float32.
//
// A panel is as in product.h, but its vectors come in pairs that share words: the low half of word i is
// number i of the first vector, the high half number i of the second. A shift widens the first. The
// second is the word as it stands: its lower bits, the first one's, are taken into account when the upper
// ones are chosen, so that it, too, is off by 1 part in 256 at most, as rounding would leave it. Weights that
// are bfloat16 already stay what they are, and infinite ones infinite (UNROLL_EXACT_HALVES): there a mask
// takes the lower bits off.

// The nearest bfloat16, ties to even; NaN stays NaN, and a finite value finite.
INLINE uint32_t NAME(half_of)(REAL value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (bits >> 16) | 0x40;
  const uint32_t half = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (half & 0x7fff) == 0x7f80 && (bits & 0x7fffffff) != 0x7f800000 ? half - 1 : half;
}

INLINE ptrdiff_t NAME(paired)(ptrdiff_t columns) {
  return (columns + 2 * WIDTH - 1) / (2 * WIDTH) * (2 * WIDTH);
}

// The words that `k` rows of `n` columns take.
static ptrdiff_t NAME(half_count)(ptrdiff_t k, ptrdiff_t n) { return k * NAME(paired)(n) / 2; }

// The upper half of the word that is nearest to a finite value, its lower half given.
INLINE uint32_t NAME(half_above)(REAL value, uint32_t low) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const int64_t most = 0x7f7f, high = ((int64_t)(bits & 0x7fffffff) - low + 0x8000) >> 16;
  return (uint32_t)(high < 0 ? 0 : high > most ? most : high) | (bits >> 31 << 15);
}

enum { NAME(HAS_LONGER) = 1, NAME(HAS_INFINITE) = 2 };

// Whether some of b[k,n] are not bfloat16 already, and whether some are not finite.
static int NAME(kinds_of)(const REAL *b, ptrdiff_t count) {
  uint32_t lost = 0, infinite = 0;
  for (ptrdiff_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, b + i, sizeof bits);
    infinite |= (bits & 0x7f800000) == 0x7f800000;
    lost |= bits & 0xffff;
  }
  return (lost ? NAME(HAS_LONGER) : 0) | (infinite ? NAME(HAS_INFINITE) : 0);
}

// Packs two vectors of a row, of which `count` numbers are there.
static void NAME(pack_pair)(uint32_t *packed, const REAL *row, ptrdiff_t count, int kind) {
  for (ptrdiff_t i = 0; i < WIDTH; ++i) {
    const REAL above = WIDTH + i < count ? row[WIDTH + i] : 0;
    const uint32_t below = i < count ? NAME(half_of)(row[i]) : 0;
    packed[i] = below | (kind == UNROLL_EXACT_HALVES ? NAME(half_of)(above)
                                                     : NAME(half_above)(above, below)) << 16;
  }
}

// Packs b[k,n], whose rows stand `ldb` apart.
static void NAME(pack_half)(uint32_t *packed, const REAL *b, ptrdiff_t ldb, ptrdiff_t k,
                            ptrdiff_t n, int kind) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    for (ptrdiff_t p = 0; p < k; ++p) {
      const REAL *row = b + p * ldb + first;
      for (ptrdiff_t pair = 0; pair < columns; pair += 2 * WIDTH, packed += WIDTH) {
        NAME(pack_pair)(packed, row + pair, columns - pair, kind);
      }
    }
  }
}

typedef uint32_t NAME(words) __attribute__((ext_vector_type(WIDTH)));
typedef NAME(words) NAME(loose_words) __attribute__((aligned(4)));

INLINE VECTOR NAME(low_halves)(NAME(words) both) { return (VECTOR)(both << 16); }

INLINE VECTOR NAME(high_halves)(NAME(words) both, const int kind) {
  return (VECTOR)(kind == UNROLL_EXACT_HALVES ? both & 0xffff0000 : both);
}

INLINE void NAME(half_tile)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                            const uint32_t *b, ptrdiff_t k, ptrdiff_t columns, const REAL *start,
                            int from, const int rows, const int pairs, const int kind) {
  VECTOR sums[4][TILE_VECTORS];
  for (int v = 0; v < 2 * pairs; ++v) {
    const ptrdiff_t n = columns - v * WIDTH;
    for (int r = 0; r < rows; ++r) {
      const REAL *place = from == NAME(FROM_OUTPUT) ? out + r * ldout : start;
      sums[r][v] = place && n > 0 ? NAME(load_part)(place + v * WIDTH, n) : NAME(splat)(0);
    }
  }
  for (ptrdiff_t p = 0; p < k; ++p) {
    VECTOR column[TILE_VECTORS];
    UNROLL_ALL for (int pair = 0; pair < pairs; ++pair) {
      const NAME(words) both = *(const NAME(loose_words) *)(b + pair * WIDTH);
      column[2 * pair] = NAME(low_halves)(both);
      column[2 * pair + 1] = NAME(high_halves)(both, kind);
    }
    b += pairs * WIDTH;
    UNROLL_ALL for (int r = 0; r < rows; ++r) {
      const VECTOR factor = NAME(splat)(a[r * lda + p]);
      UNROLL_ALL for (int v = 0; v < 2 * pairs; ++v) {
        sums[r][v] = MULTIPLY_ADD(factor, column[v], sums[r][v]);
      }
    }
  }
  for (int v = 0; v < 2 * pairs; ++v) {
    const ptrdiff_t n = columns - v * WIDTH;
    for (int r = 0; r < rows; ++r) {
      if (n > 0) NAME(store_part)(out + r * ldout + v * WIDTH, sums[r][v], n);
    }
  }
}

INLINE void NAME(half_product_of)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                                  const uint32_t *packed, ptrdiff_t k, ptrdiff_t n, ptrdiff_t rows,
                                  const REAL *start, int from, const int kind) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t pairs = NAME(paired)(columns) / (2 * WIDTH);
    const REAL *from_row = start ? start + first : start;
    for (ptrdiff_t row = 0; row < rows;) {
      REAL *to = out + row * ldout + first;
      const REAL *x = a + row * lda;
      const int many = rows - row >= 4;
#define HALF_TILE(ROWS, PAIRS)                                                                     \
  NAME(half_tile)(to, ldout, x, lda, packed, k, columns, from_row, from, ROWS, PAIRS, kind)
      if (pairs == TILE_VECTORS / 2) {
        many ? HALF_TILE(4, TILE_VECTORS / 2) : HALF_TILE(1, TILE_VECTORS / 2);
      } else {
        many ? HALF_TILE(4, 1) : HALF_TILE(1, 1);
      }
#undef HALF_TILE
      row += many ? 4 : 1;
    }
    packed += k * pairs * WIDTH;
  }
}

static void NAME(half_product)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                               const uint32_t *packed, ptrdiff_t k, ptrdiff_t n, ptrdiff_t rows,
                               const REAL *start, int from, int kind) {
  if (kind == UNROLL_EXACT_HALVES) {
    NAME(half_product_of)(out, ldout, a, lda, packed, k, n, rows, start, from, UNROLL_EXACT_HALVES);
  } else {
    NAME(half_product_of)(out, ldout, a, lda, packed, k, n, rows, start, from, UNROLL_NEAREST_HALVES);
  }
}
