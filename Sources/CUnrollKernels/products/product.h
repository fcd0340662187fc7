// Dense products with packed matrices.
//
// A matrix b[k,n] is packed into panels of TILE_VECTORS vectors of columns (the last one as many
// as are left, padded with 0): a panel holds its k rows one after the other. A tile of up to
// TILE_ROWS rows of the output stays in registers while k passes by. Every number of the output
// is one chain of multiply-adds over k in order, in every tile alike: a row's bits depend on that
// row alone.

#ifndef UNROLL_PRODUCT_H
#define UNROLL_PRODUCT_H

#include "../vector/vector.h"

#define PANEL_COLUMNS (TILE_VECTORS * WIDTH)
// Rows of a panel that are multiplied at once: they fit the second-level cache next to their operands.
#define PANEL_DEPTH 1024
// With fewer tiles than this, as in one step, operands and outputs are in the caches already.
#define PREFETCHED_TILES 16
// Output lines are prefetched this many iterations before a tile ends, and one more for each line.
#define LATE_PREFETCHES 3
// Numbers in a cache line.
#define LINE ((ptrdiff_t)(64 / sizeof(real)))

// Packs b, whose element (p, j) stands at b[p * k_stride + j * n_stride]; one stride is 1.
static void pack_panels(real *restrict packed, const real *restrict b, ptrdiff_t k_stride,
                ptrdiff_t n_stride, ptrdiff_t k, ptrdiff_t n) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t width = (columns + WIDTH - 1) / WIDTH * WIDTH;
    const real *from = b + first * n_stride;
    if (n_stride == 1) {
      for (ptrdiff_t p = 0; p < k; ++p) {
        FOR_VECTORS(columns, {
          store(packed + p * width + j, load_part(from + p * k_stride + j, n));
        })
      }
    } else {
      // Along k the source is dense: squares are read by columns and transposed in registers.
      for (ptrdiff_t p = 0; p < k; p += WIDTH) {
        const ptrdiff_t depth = k - p < WIDTH ? k - p : WIDTH;
        for (ptrdiff_t j = 0; j < width; j += WIDTH) {
          vector square[WIDTH];
          for (int i = 0; i < WIDTH; ++i) {
            square[i] = j + i < columns
                            ? load_part(from + p + (j + i) * n_stride, depth)
                            : splat(0);
          }
          transpose_square(square);
          for (int i = 0; i < WIDTH; ++i) {
            if (i < depth) store(packed + (p + i) * width + j, square[i]);
          }
        }
      }
    }
    packed += k * width;
  }
}

// Where a tile begins: from what stands in the output, or from a row (zero if null).
enum { FROM_OUTPUT, FROM_ROW };

// What a tile prefetches for the next one. Its own operands would arrive too late, and stores to output lines that are
// not cached would occupy the buffers through which the panel is loaded. Any pointer may be null.
typedef struct {
  const real *rows;       ///< the next tile's rows of a, strides as this one's
  real *out;              ///< output rows: this tile's own where they are only stored, or the next one's
  const real *panel;      ///< a part of the next panel,
  ptrdiff_t panel_step;   ///< of this many bytes for each of k
  const real *source;     ///< other lines that are used soon, such as those that the next panel is copied from,
  ptrdiff_t source_step;  ///< this many numbers apart
} prefetches;

// out[rows, vectors] = start + a b. Element (r, p) of a stands at a[r * row_stride + p * k_stride].
INLINE void tile(real *out, ptrdiff_t ldout, const real *a, ptrdiff_t row_stride,
                       ptrdiff_t k_stride, const real *b, ptrdiff_t k, ptrdiff_t columns,
                       const real *start, int from, const prefetches *next, const int rows,
                       const int vectors) {
  vector sums[TILE_ROWS][TILE_VECTORS];
  const ptrdiff_t last = columns - (vectors - 1) * WIDTH;
  UNROLL_ALL for (int v = 0; v < vectors; ++v) {
    const ptrdiff_t n = v < vectors - 1 ? WIDTH : last;
    if (from == FROM_OUTPUT) {
      UNROLL_ALL for (int r = 0; r < rows; ++r) {
        sums[r][v] = load_part(out + r * ldout + v * WIDTH, n);
      }
    } else {
      const vector value = start ? load_part(start + v * WIDTH, n) : splat(0);
      UNROLL_ALL for (int r = 0; r < rows; ++r) sums[r][v] = value;
    }
  }
  // Prefetches come once in LINE iterations: a cache line holds LINE numbers of a row.
  const char *panel = (const char *)next->panel;
  const real *source = next->source;
  // Output lines are prefetched so late that panels do not evict them, and early enough to arrive in time.
  const ptrdiff_t spare = (k + LINE - 1) / LINE - rows * vectors - LATE_PREFETCHES;
  ptrdiff_t out_line = spare > 0 ? -spare : 0;
  for (ptrdiff_t p = 0; p < k;) {
    const ptrdiff_t end = k - p < LINE ? k : p + LINE;
    if (rows > 1 && next->rows) {
      UNROLL_ALL for (int r = 0; r < rows; ++r) {
        const ptrdiff_t line = k_stride == 1 ? r * row_stride + p : p * k_stride + r * LINE;
        __builtin_prefetch(next->rows + line, 0, 2);
      }
    }
    if (rows > 1 && next->out) {
      // Two at a time, if one would not suffice for all lines.
      UNROLL_ALL for (int i = 0; i < (k < rows * vectors * LINE ? 2 : 1); ++i, ++out_line) {
        if (out_line >= 0 && out_line < rows * vectors) {
          __builtin_prefetch(next->out + out_line / vectors * ldout + out_line % vectors * WIDTH, 1, 3);
        }
      }
    }
    if (rows > 1 && source) {
      __builtin_prefetch(source, 0, 2);
      source += next->source_step;
    }
    for (; p < end; ++p) {
      vector column[TILE_VECTORS];
      UNROLL_ALL for (int v = 0; v < vectors; ++v) column[v] = load(b + v * WIDTH);
      b += vectors * WIDTH;
      if (rows > 1) {  // one row alone is limited by its loads
        __builtin_prefetch(panel, 0, 2);
        panel += next->panel_step;
      }
      UNROLL_ALL for (int r = 0; r < rows; ++r) {
        const vector factor = splat(a[r * row_stride + p * k_stride]);
        UNROLL_ALL for (int v = 0; v < vectors; ++v) {
          sums[r][v] = MULTIPLY_ADD(factor, column[v], sums[r][v]);
        }
      }
    }
  }
  UNROLL_ALL for (int v = 0; v < vectors; ++v) {
    const ptrdiff_t n = v < vectors - 1 ? WIDTH : last;
    UNROLL_ALL for (int r = 0; r < rows; ++r) {
      store_part(out + r * ldout + v * WIDTH, sums[r][v], n);
    }
  }
}

// One function for each number of rows, with the loops over rows and vectors unrolled.
#define TILE_FUNCTION(ROWS, VECTORS)                                                             \
  static void tile_##ROWS##_##VECTORS(                                                     \
      real *out, ptrdiff_t ldout, const real *a, ptrdiff_t row_stride, ptrdiff_t k_stride,       \
      const real *b, ptrdiff_t k, ptrdiff_t columns, const real *start, int from,                \
      const prefetches *next) {                                                                \
    if (k_stride == 1) {                                                                         \
      tile(out, ldout, a, row_stride, 1, b, k, columns, start, from, next, ROWS,          \
                 VECTORS);                                                                       \
    } else if (row_stride == 1 && k_stride == TILE_ROWS) {                                       \
      tile(out, ldout, a, 1, TILE_ROWS, b, k, columns, start, from, next, ROWS, VECTORS); \
    } else {                                                                                     \
      tile(out, ldout, a, row_stride, k_stride, b, k, columns, start, from, next, ROWS,   \
                 VECTORS);                                                                       \
    }                                                                                            \
  }
typedef void (*tile_function)(real *, ptrdiff_t, const real *, ptrdiff_t, ptrdiff_t,
                                    const real *, ptrdiff_t, ptrdiff_t, const real *, int,
                                    const prefetches *);
#define TILE_FUNCTIONS(VECTORS)                                                            \
  TILE_FUNCTION(1, VECTORS) TILE_FUNCTION(2, VECTORS) TILE_FUNCTION(3, VECTORS)            \
  TILE_FUNCTION(4, VECTORS) TILE_FUNCTION(5, VECTORS) TILE_FUNCTION(6, VECTORS)
#define TILE_NAMES(VECTORS)                                                                \
  {tile_1_##VECTORS, tile_2_##VECTORS, tile_3_##VECTORS,                 \
   tile_4_##VECTORS, tile_5_##VECTORS, tile_6_##VECTORS}
#if TILE_ROWS != 6
#error "the tables below are for tiles of six rows"
#endif

TILE_FUNCTIONS(1)
TILE_FUNCTIONS(2)
#if TILE_VECTORS == 4
TILE_FUNCTIONS(3)
TILE_FUNCTIONS(4)
static const tile_function tile_functions[TILE_VECTORS][TILE_ROWS] = {
    TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4)};
#else
static const tile_function tile_functions[TILE_VECTORS][TILE_ROWS] = {TILE_NAMES(1),
                                                                         TILE_NAMES(2)};
#endif

// A single row is multiplied by this number of panels at once: fewer sums would not hide the latency of an addition.
#define ROW_PANELS (8 / TILE_VECTORS)

// One row and ROW_PANELS whole panels.
static void row_tile(real *out, const real *a, const real *b, ptrdiff_t k, const real *start,
                           int from) {
  enum { VECTORS = ROW_PANELS * TILE_VECTORS };
  vector sums[VECTORS];
  const real *place = from == FROM_OUTPUT ? out : start;
  UNROLL_ALL for (int v = 0; v < VECTORS; ++v) {
    sums[v] = place ? load(place + v * WIDTH) : splat(0);
  }
  for (ptrdiff_t p = 0; p < k; ++p) {
    const vector factor = splat(a[p]);
    UNROLL_ALL for (int v = 0; v < VECTORS; ++v) {
      const real *column = b + (v / TILE_VECTORS * k + p) * PANEL_COLUMNS + v % TILE_VECTORS * WIDTH;
      sums[v] = MULTIPLY_ADD(factor, load(column), sums[v]);
    }
  }
  UNROLL_ALL for (int v = 0; v < VECTORS; ++v) store(out + v * WIDTH, sums[v]);
}

// `groups` groups of `rows` rows, which are out_group and a_group numbers apart: the same sequences at several time
// steps.
typedef struct {
  ptrdiff_t groups, rows, out_group, a_group;
} row_groups;

// Memory that is used after a product and not cached: prefetched while it computes.
typedef struct {
  const real *start;
  ptrdiff_t lines;
} uncached_lines;
enum { UNCACHED_PARTS = 3 };

// `count` lines in a row from a line on, all parts taken as one; null if no part has them all.
static const real *lines_at(const uncached_lines * uncached, ptrdiff_t line, ptrdiff_t count) {
  for (int part = 0; line >= 0 && part < UNCACHED_PARTS; ++part) {
    if (line < uncached[part].lines) {
      return line + count <= uncached[part].lines ? uncached[part].start + line * LINE : 0;
    }
    line -= uncached[part].lines;
  }
  return 0;
}

// out = start + a b for all rows; b is packed, [k,n]. `uncached` has UNCACHED_PARTS, or is null; a product of one tile
// prefetches none of them.
static void packed_product_prefetching(real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                                const real *packed, ptrdiff_t k, ptrdiff_t n,
                                row_groups rows, const real *start, int from,
                                const uncached_lines * uncached) {
  const ptrdiff_t tile_count = (rows.rows + TILE_ROWS - 1) / TILE_ROWS;
  const ptrdiff_t tile_total = tile_count * rows.groups;
  if (tile_total == 0) return;
  const int is_cached = tile_total < PREFETCHED_TILES;
  // The last prefetches of the product are for `uncached`, so that its lines are still cached when they are used.
  ptrdiff_t line = 0;
  for (int part = 0; uncached && part < UNCACHED_PARTS; ++part) line += uncached[part].lines;
  const ptrdiff_t panels = (n + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
  line -= panels * tile_total * ((k + LINE - 1) / LINE);
  if (line > 0) line = 0;  // more lines than prefetches: the last are left out
  ptrdiff_t first = 0;
  if (rows.rows * rows.groups == 1) {  // a sequence alone
    for (; n - first >= ROW_PANELS * PANEL_COLUMNS; first += ROW_PANELS * PANEL_COLUMNS) {
      row_tile(out + first, a, packed + first * k, k, start ? start + first : start, from);
    }
    packed += first * k;
  }
  for (; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t vectors = (columns + WIDTH - 1) / WIDTH;
    const tile_function *tiles = tile_functions[vectors - 1];
    ptrdiff_t depth = 0;
    do {
      const ptrdiff_t count = k - depth < PANEL_DEPTH ? k - depth : PANEL_DEPTH;
      // The next panel is prefetched, a share by each tile.
      const real *here = packed + depth * vectors * WIDTH;
      const ptrdiff_t size = count * vectors * WIDTH;
      // Rounded up: rounded down, up to half of a panel would be left out.
      const ptrdiff_t share =
          (vectors * WIDTH * (ptrdiff_t)sizeof(real) + tile_total - 1) / tile_total;
      const int is_last = depth + count >= k && first + columns >= n;
      const ptrdiff_t count_of_prefetches = (count + LINE - 1) / LINE;
      ptrdiff_t tile = 0;
      if (tile_total == 1) {  // a few rows alone: nothing to prefetch
        tiles[rows.rows - 1](out + first, ldout, a + depth, lda, 1, here, count, columns,
                             start ? start + first : start, depth > 0 ? FROM_OUTPUT : from,
                             &(prefetches){.panel = here});
        depth += count;
        continue;
      }
      for (ptrdiff_t group = 0; group < rows.groups; ++group) {
        real *out_rows = out + group * rows.out_group + first;
        const real *a_rows = a + group * rows.a_group + depth;
        for (ptrdiff_t i = 0; i < tile_count; ++i) {
          const ptrdiff_t row = rows.rows * i / tile_count;
          const ptrdiff_t next = rows.rows * (i + 1) / tile_count;
          const int first_sums = depth == 0 && from == FROM_ROW, is_final = i + 1 == tile_count;
          real *here_out = out_rows + row * ldout;
          const prefetches next_tile = {
              .rows = is_cached || is_final ? 0 : a_rows + next * lda,
              .out = is_cached ? 0 : first_sums ? here_out : is_final ? 0 : out_rows + next * ldout,
              .panel = is_last ? here : here + size + size * tile / tile_total,
              .panel_step = is_last ? 0 : share,
              .source = uncached ? lines_at(uncached, line, count_of_prefetches) : 0,
              .source_step = LINE};
          line += count_of_prefetches;
          tiles[next - row - 1](here_out, ldout, a_rows + row * lda, lda, 1, here, count, columns,
                                start ? start + first : start,
                                depth > 0 ? FROM_OUTPUT : from, &next_tile);
          tile += 1;
        }
      }
      depth += count;
    } while (depth < k);
    packed += k * vectors * WIDTH;
  }
}

static void packed_product(real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                          const real *packed, ptrdiff_t k, ptrdiff_t n, row_groups rows,
                          const real *start, int from) {
  packed_product_prefetching(out, ldout, a, lda, packed, k, n, rows, start, from, 0);
}

INLINE row_groups one_group(ptrdiff_t rows) {
  return (row_groups){1, rows, 0, 0};
}

#endif
