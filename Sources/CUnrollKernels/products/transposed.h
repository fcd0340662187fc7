// Products over the rows of two matrices, such as the gradients of weights: out = a^T b, summed in the order of the rows.
// In each block of rows, columns of b are copied to panels and, if there are several panels, columns of a to strips; the
// tiles of product.h read both.

#ifndef UNROLL_TRANSPOSED_H
#define UNROLL_TRANSPOSED_H

#include "product.h"

// The largest number of rows of a block. Sums are read and written once for each block. Without copies of a, a block is
// smaller, so that the lines of its rows stay in L1 for neighbouring strips.
#define BLOCK_ROWS 720
#define DIRECT_ROWS 512

// The rows of a: `count` of them stand at `first`, the others at `rest`.
typedef struct {
  const real *first;
  ptrdiff_t count;
  const real *rest;
} split_rows;

INLINE split_rows all_rows(const real *a) { return (split_rows){a, 0, a}; }

// The rows of a block: m rows in blocks of nearly the same size, of at most `most`.
INLINE ptrdiff_t block_rows(ptrdiff_t m, ptrdiff_t most) {
  const ptrdiff_t blocks = (m + most - 1) / most;
  return blocks > 0 ? (m + blocks - 1) / blocks : 0;
}

// The distance of strips in numbers: an odd count of lines, so that neighbours do not share the sets of a cache.
INLINE ptrdiff_t strip_size(ptrdiff_t depth) {
  return ((depth * TILE_ROWS + LINE - 1) / LINE | 1) * LINE;
}

// Scratch of products over m rows of at most k columns, or of fewer rows.
static ptrdiff_t transposed_scratch(ptrdiff_t m, ptrdiff_t k) {
  const ptrdiff_t depth = m < BLOCK_ROWS ? m : BLOCK_ROWS;
  const ptrdiff_t strips = (k + TILE_ROWS - 1) / TILE_ROWS;
  return depth * PANEL_COLUMNS + strips * strip_size(depth) + LINE;
}

// `many` whole strips, `size` numbers apart. Rows are prefetched, since hardware prefetchers do not follow them.
INLINE void copy_many(real *to, ptrdiff_t size, const real *from, ptrdiff_t ld,
                            ptrdiff_t rows, const int many) {
  enum { PREFETCH_DISTANCE = 16 };
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real *row = from + r * ld;
    UNROLL_ALL for (ptrdiff_t i = 0; i < many * TILE_ROWS; i += LINE) {
      __builtin_prefetch(row + PREFETCH_DISTANCE * ld + i, 0, 3);
    }
    UNROLL_ALL for (ptrdiff_t i = 0; i < many; ++i) {
      memcpy(to + i * size + r * TILE_ROWS, row + i * TILE_ROWS, TILE_ROWS * sizeof(real));
    }
  }
}

// Strips of TILE_ROWS neighbouring columns, row after row, `size` numbers apart; the last one may be
// narrower. Many at once read a row's lines while they are cached.
static void copy_strips(real *to, ptrdiff_t size, const real *from, ptrdiff_t ld,
                              ptrdiff_t rows, ptrdiff_t columns) {
  enum { MANY = 16, SOME = 5 };
  ptrdiff_t column = 0;
  for (; columns - column >= MANY * TILE_ROWS; column += MANY * TILE_ROWS, to += MANY * size) {
    copy_many(to, size, from + column, ld, rows, MANY);
  }
  for (; columns - column >= SOME * TILE_ROWS; column += SOME * TILE_ROWS, to += SOME * size) {
    copy_many(to, size, from + column, ld, rows, SOME);
  }
  for (; columns - column >= TILE_ROWS; column += TILE_ROWS, to += size) {
    copy_many(to, size, from + column, ld, rows, 1);
  }
  for (ptrdiff_t r = 0; r < rows; ++r) {
    const real *row = from + r * ld;
    for (ptrdiff_t i = column; i < columns; ++i) to[r * TILE_ROWS + i - column] = row[i];
  }
}

// `columns` neighbouring columns of b, row after row, and their sums (unless null).
INLINE void copy_panel(real *restrict to, const real *b, ptrdiff_t ldb, ptrdiff_t rows,
                             const ptrdiff_t columns, real *sums, int from, const int vectors) {
  vector sum[TILE_VECTORS];
  const ptrdiff_t last = columns - (vectors - 1) * WIDTH;
  for (int v = 0; v < vectors; ++v) {
    const ptrdiff_t n = v < vectors - 1 ? WIDTH : last;
    sum[v] = sums && from != FROM_ROW ? load_part(sums + v * WIDTH, n) : splat(0);
  }
  for (ptrdiff_t r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const vector value =
          load_part(b + r * ldb + v * WIDTH, v < vectors - 1 ? WIDTH : last);
      store(to + (r * vectors + v) * WIDTH, value);
      sum[v] += value;
    }
  }
  for (int v = 0; sums && v < vectors; ++v) {
    store_part(sums + v * WIDTH, sum[v], v < vectors - 1 ? WIDTH : last);
  }
}

// out[k, first ..< last] = or (`adds`) += a[m,k]^T b[m, first ..< last], summed over m in order;
// `sums` (if not null) likewise the column sums of b, of those columns. `scratch` holds transposed_scratch(m, k).
static void transposed_product(real *out, ptrdiff_t ldout, split_rows a, ptrdiff_t lda,
                                     const real *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t k,
                                     ptrdiff_t first, ptrdiff_t last, real *sums, int adds,
                                     real *scratch) {
  const int copies = last - first >= 3 * PANEL_COLUMNS;  // with fewer panels a copy costs more than it saves
  const ptrdiff_t depth = block_rows(m, copies ? BLOCK_ROWS : DIRECT_ROWS);
  const ptrdiff_t size = copies ? strip_size(depth) : TILE_ROWS;
  real *panel = scratch, *strips = scratch + depth * PANEL_COLUMNS;
  for (ptrdiff_t block = 0, count; block < m; block += count) {
    count = m - block < depth ? m - block : depth;
    // The rows of this block that are in a.first. Copying joins them with those in a.rest.
    ptrdiff_t before = a.count - block < 0 ? 0 : a.count - block;
    if (before > count) before = count;
    if (!copies && before > 0) count = before;
    const real *rest = a.rest + (block + before - a.count) * lda;
    const real *rows = copies ? strips : before > 0 ? a.first + block * lda : rest;
    if (copies && before > 0) {
      copy_strips(strips, size, a.first + block * lda, lda, before, k);
    }
    if (copies && before < count) {
      copy_strips(strips + before * TILE_ROWS, size, rest, lda, count - before, k);
    }
    const int from = adds || block > 0 ? FROM_OUTPUT : FROM_ROW;
    const ptrdiff_t lines = (count + LINE - 1) / LINE, prefetched = (count + lines - 1) / lines;
    for (ptrdiff_t column = first; column < last; column += PANEL_COLUMNS) {
      const ptrdiff_t columns = last - column < PANEL_COLUMNS ? last - column : PANEL_COLUMNS;
      const ptrdiff_t vectors = (columns + WIDTH - 1) / WIDTH;
      const tile_function *tiles = tile_functions[vectors - 1];
      const int is_last = column + columns >= last;
      const real *source = b + block * ldb + column;
      real *sum = sums ? sums + column : 0;
      if (columns == PANEL_COLUMNS) {
        copy_panel(panel, source, ldb, count, columns, sum, from, TILE_VECTORS);
      } else {
        copy_panel(panel, source, ldb, count, columns, sum, from, (int)vectors);
      }
      for (ptrdiff_t strip = 0; strip < k; strip += TILE_ROWS) {
        const ptrdiff_t width = k - strip < TILE_ROWS ? k - strip : TILE_ROWS;
        const real *strip_rows = rows + strip / TILE_ROWS * size;
        real *to = out + strip * ldout + column;
        const int is_final = strip + TILE_ROWS >= k;
        // Of the next panel's source, a tile prefetches one vector of as many rows as it has lines.
        const ptrdiff_t tile = strip / TILE_ROWS, column_vector = tile / prefetched;
        const real *next = source + tile % prefetched * lines * ldb + PANEL_COLUMNS + column_vector * WIDTH;
        const prefetches next_tile = {
            .rows = is_final || !copies ? 0 : strip_rows + size,
            .out = from == FROM_ROW ? to : is_final ? 0 : to + TILE_ROWS * ldout,
            .panel = panel,
            .source = is_last || column_vector >= vectors ? 0 : next,
            .source_step = ldb};
        tiles[width - 1](to, ldout, strip_rows, 1, copies ? TILE_ROWS : lda, panel, count, columns, 0,
                         from, &next_tile);
      }
    }
  }
}

#endif
