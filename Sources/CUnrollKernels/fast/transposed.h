// Products over the rows of two matrices, as the gradients of weights are: out = a^T b, summed in the
// order of the rows. A block of rows at a time, columns of b are copied to panels, and, where several of
// them follow, columns of a to strips, which the tiles of product.h then read as they stand.

// The most rows of a block, which reads and writes its sums once; without copies, the lines of a's rows
// stay in the first-level cache for neighbouring strips.
#define BLOCK_ROWS 720
#define DIRECT_ROWS 512

// The rows of a: `count` of them stand at `first`, the others at `rest`.
typedef struct {
  const REAL *first;
  ptrdiff_t count;
  const REAL *rest;
} NAME(split_rows);

INLINE NAME(split_rows) NAME(all_rows)(const REAL *a) { return (NAME(split_rows)){a, 0, a}; }

// Blocks of m rows are as even as may be.
INLINE ptrdiff_t NAME(block_rows)(ptrdiff_t m, ptrdiff_t most) {
  const ptrdiff_t blocks = (m + most - 1) / most;
  return blocks > 0 ? (m + blocks - 1) / blocks : 0;
}

// The numbers from strip to strip: an odd count of lines, or neighbours would compete for the same
// places of a cache.
INLINE ptrdiff_t NAME(strip_size)(ptrdiff_t depth) {
  return ((depth * TILE_ROWS + LINE - 1) / LINE | 1) * LINE;
}

// Room for products over m rows of k columns at most, or of fewer.
static ptrdiff_t NAME(transposed_room)(ptrdiff_t m, ptrdiff_t k) {
  const ptrdiff_t depth = m < BLOCK_ROWS ? m : BLOCK_ROWS;
  const ptrdiff_t strips = (k + TILE_ROWS - 1) / TILE_ROWS;
  return depth * PANEL_COLUMNS + strips * NAME(strip_size)(depth) + LINE;
}

// `many` whole strips, `size` numbers apart. Later rows are called ahead: no machine guesses them.
INLINE void NAME(copy_many)(REAL *to, ptrdiff_t size, const REAL *from, ptrdiff_t ld,
                            ptrdiff_t rows, const int many) {
  enum { ROWS_AHEAD = 16 };
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const REAL *row = from + r * ld;
    UNROLL_ALL for (ptrdiff_t i = 0; i < many * TILE_ROWS; i += LINE) {
      __builtin_prefetch(row + ROWS_AHEAD * ld + i, 0, 3);
    }
    UNROLL_ALL for (ptrdiff_t i = 0; i < many; ++i) {
      memcpy(to + i * size + r * TILE_ROWS, row + i * TILE_ROWS, TILE_ROWS * sizeof(REAL));
    }
  }
}

// Strips of TILE_ROWS neighbouring columns, row after row, `size` numbers apart; the last one may be
// narrower. Many at once read a row's lines while they are near.
static void NAME(copy_strips)(REAL *to, ptrdiff_t size, const REAL *from, ptrdiff_t ld,
                              ptrdiff_t rows, ptrdiff_t columns) {
  enum { MANY = 16, SOME = 5 };
  ptrdiff_t column = 0;
  for (; columns - column >= MANY * TILE_ROWS; column += MANY * TILE_ROWS, to += MANY * size) {
    NAME(copy_many)(to, size, from + column, ld, rows, MANY);
  }
  for (; columns - column >= SOME * TILE_ROWS; column += SOME * TILE_ROWS, to += SOME * size) {
    NAME(copy_many)(to, size, from + column, ld, rows, SOME);
  }
  for (; columns - column >= TILE_ROWS; column += TILE_ROWS, to += size) {
    NAME(copy_many)(to, size, from + column, ld, rows, 1);
  }
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const REAL *row = from + r * ld;
    for (ptrdiff_t i = column; i < columns; ++i) to[r * TILE_ROWS + i - column] = row[i];
  }
}

// `columns` neighbouring columns of b, row after row, and their sums (unless null).
INLINE void NAME(copy_panel)(REAL *restrict to, const REAL *b, ptrdiff_t ldb, ptrdiff_t rows,
                             const ptrdiff_t columns, REAL *sums, int from, const int vectors) {
  VECTOR sum[TILE_VECTORS];
  const ptrdiff_t last = columns - (vectors - 1) * WIDTH;
  for (int v = 0; v < vectors; ++v) {
    const ptrdiff_t n = v < vectors - 1 ? WIDTH : last;
    sum[v] = sums && from != NAME(FROM_ROW) ? NAME(load_part)(sums + v * WIDTH, n) : NAME(splat)(0);
  }
  for (ptrdiff_t r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const VECTOR value =
          NAME(load_part)(b + r * ldb + v * WIDTH, v < vectors - 1 ? WIDTH : last);
      NAME(store)(to + (r * vectors + v) * WIDTH, value);
      sum[v] += value;
    }
  }
  for (int v = 0; sums && v < vectors; ++v) {
    NAME(store_part)(sums + v * WIDTH, sum[v], v < vectors - 1 ? WIDTH : last);
  }
}

// out[k, first ..< last] = or (`adds`) += a[m,k]^T b[m, first ..< last], summed over m in order;
// `sums` (if not null) likewise b's column sums, of those columns. `room` holds transposed_room.
static void NAME(transposed_product)(REAL *out, ptrdiff_t ldout, NAME(split_rows) a, ptrdiff_t lda,
                                     const REAL *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t k,
                                     ptrdiff_t first, ptrdiff_t last, REAL *sums, int adds,
                                     REAL *room) {
  const int copies = last - first >= 3 * PANEL_COLUMNS;  // fewer panels read a for less than a copy costs
  const ptrdiff_t depth = NAME(block_rows)(m, copies ? BLOCK_ROWS : DIRECT_ROWS);
  const ptrdiff_t size = copies ? NAME(strip_size)(depth) : TILE_ROWS;
  REAL *panel = room, *strips = room + depth * PANEL_COLUMNS;
  for (ptrdiff_t block = 0, count; block < m; block += count) {
    count = m - block < depth ? m - block : depth;
    // Rows of this block that stand at the first place. Copying brings both together.
    ptrdiff_t before = a.count - block < 0 ? 0 : a.count - block;
    if (before > count) before = count;
    if (!copies && before > 0) count = before;
    const REAL *rest = a.rest + (block + before - a.count) * lda;
    const REAL *rows = copies ? strips : before > 0 ? a.first + block * lda : rest;
    if (copies && before > 0) {
      NAME(copy_strips)(strips, size, a.first + block * lda, lda, before, k);
    }
    if (copies && before < count) {
      NAME(copy_strips)(strips + before * TILE_ROWS, size, rest, lda, count - before, k);
    }
    const int from = adds || block > 0 ? NAME(FROM_OUTPUT) : NAME(FROM_ROW);
    const ptrdiff_t lines = (count + LINE - 1) / LINE, calls = (count + lines - 1) / lines;
    for (ptrdiff_t column = first; column < last; column += PANEL_COLUMNS) {
      const ptrdiff_t columns = last - column < PANEL_COLUMNS ? last - column : PANEL_COLUMNS;
      const ptrdiff_t vectors = (columns + WIDTH - 1) / WIDTH;
      const NAME(tile_function) *tiles = NAME(tiles)[vectors - 1];
      const int is_last = column + columns >= last;
      const REAL *source = b + block * ldb + column;
      REAL *sum = sums ? sums + column : 0;
      if (columns == PANEL_COLUMNS) {
        NAME(copy_panel)(panel, source, ldb, count, columns, sum, from, TILE_VECTORS);
      } else {
        NAME(copy_panel)(panel, source, ldb, count, columns, sum, from, (int)vectors);
      }
      for (ptrdiff_t strip = 0; strip < k; strip += TILE_ROWS) {
        const ptrdiff_t width = k - strip < TILE_ROWS ? k - strip : TILE_ROWS;
        const REAL *strip_rows = rows + strip / TILE_ROWS * size;
        REAL *to = out + strip * ldout + column;
        const int is_final = strip + TILE_ROWS >= k;
        // Of the next panel's source, a tile calls one vector of as many rows as it has lines.
        const ptrdiff_t call = strip / TILE_ROWS, vector = call / calls;
        const REAL *next = source + call % calls * lines * ldb + PANEL_COLUMNS + vector * WIDTH;
        const NAME(ahead) ahead = {
            .rows = is_final || !copies ? 0 : strip_rows + size,
            .out = from == NAME(FROM_ROW) ? to : is_final ? 0 : to + TILE_ROWS * ldout,
            .panel = panel,
            .source = is_last || vector >= vectors ? 0 : next,
            .source_step = ldb};
        tiles[width - 1](to, ldout, strip_rows, 1, copies ? TILE_ROWS : lda, panel, count, columns, 0,
                         from, &ahead);
      }
    }
  }
}
