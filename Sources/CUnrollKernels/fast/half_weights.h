// Products with weights kept as bfloat16: the upper half of a float32. Half the bytes are read for
// each step; states and sums stay float32.
//
// A panel is as in product.h, but its vectors come in pairs that share words: the low half of
// word i is number i of the first vector, the high half number i of the second.

// The nearest bfloat16, ties to even; NaN stays NaN.
INLINE uint32_t NAME(half_of)(REAL value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (bits >> 16) | 0x40;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

INLINE ptrdiff_t NAME(paired)(ptrdiff_t columns) {
  return (columns + 2 * WIDTH - 1) / (2 * WIDTH) * (2 * WIDTH);
}

// The words that `k` rows of `n` columns take.
static ptrdiff_t NAME(half_count)(ptrdiff_t k, ptrdiff_t n) { return k * NAME(paired)(n) / 2; }

// Packs b[k,n], whose rows stand `ldb` apart.
static void NAME(pack_half)(uint32_t *packed, const REAL *b, ptrdiff_t ldb, ptrdiff_t k,
                            ptrdiff_t n) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    for (ptrdiff_t p = 0; p < k; ++p) {
      const REAL *row = b + p * ldb + first;
      for (ptrdiff_t pair = 0; pair < NAME(paired)(columns); pair += 2 * WIDTH) {
        for (ptrdiff_t i = 0; i < WIDTH; ++i) {
          const ptrdiff_t low = pair + i, high = pair + WIDTH + i;
          *packed++ = (low < columns ? NAME(half_of)(row[low]) : 0) |
                      (high < columns ? NAME(half_of)(row[high]) << 16 : 0);
        }
      }
    }
  }
}

typedef uint32_t NAME(words) __attribute__((ext_vector_type(WIDTH)));
typedef NAME(words) NAME(loose_words) __attribute__((aligned(4)));

INLINE void NAME(half_tile)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                            const uint32_t *b, ptrdiff_t k, ptrdiff_t columns, const REAL *start,
                            int from, const int rows, const int pairs) {
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
    for (int pair = 0; pair < pairs; ++pair) {
      const NAME(words) both = *(const NAME(loose_words) *)(b + pair * WIDTH);
      column[2 * pair] = (VECTOR)(both << 16);
      column[2 * pair + 1] = (VECTOR)(both & 0xffff0000);
    }
    b += pairs * WIDTH;
    for (int r = 0; r < rows; ++r) {
      const VECTOR factor = NAME(splat)(a[r * lda + p]);
      for (int v = 0; v < 2 * pairs; ++v) {
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

static void NAME(half_product)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                               const uint32_t *packed, ptrdiff_t k, ptrdiff_t n, ptrdiff_t rows,
                               const REAL *start, int from) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t pairs = NAME(paired)(columns) / (2 * WIDTH);
    const REAL *from_row = start ? start + first : start;
    for (ptrdiff_t row = 0; row < rows;) {
      REAL *to = out + row * ldout + first;
      const REAL *x = a + row * lda;
      const int many = rows - row >= 4;
#define HALF_TILE(ROWS, PAIRS) \
  NAME(half_tile)(to, ldout, x, lda, packed, k, columns, from_row, from, ROWS, PAIRS)
#if TILE_VECTORS == 4
      if (pairs == 2) {
        many ? HALF_TILE(4, 2) : HALF_TILE(1, 2);
      } else
#endif
      {
        many ? HALF_TILE(4, 1) : HALF_TILE(1, 1);
      }
#undef HALF_TILE
      row += many ? 4 : 1;
    }
    packed += k * pairs * WIDTH;
  }
}
