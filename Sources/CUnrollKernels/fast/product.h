// Dense products with packed matrices.
//
// A matrix b[k,n] is packed into panels of TILE_VECTORS vectors of columns (the last one as many
// as are left, padded with 0): a panel holds its k rows one after the other. A tile of up to
// TILE_ROWS rows of the output stays in registers while k passes by. Every number of the output
// is one chain of multiply-adds over k in order, in every tile alike: a row's bits depend on that
// row alone.

#define PANEL_COLUMNS (TILE_VECTORS * WIDTH)
// A panel's part that is passed over at once fits the second-level cache beside its users.
#define PANEL_DEPTH 1024
// Fewer tiles, as a step has, find their rows and outputs in the caches.
#define FAR_TILES 16
// Lines of the output are called so many calls before a tile ends, besides one for each of them.
#define LATE_CALLS 3
#define UNROLL_ALL _Pragma("clang loop unroll(full)")
// Numbers of a line of memory.
#define LINE ((ptrdiff_t)(64 / sizeof(REAL)))

// Packs b, whose element (p, j) stands at b[p * k_stride + j * n_stride]; one stride is 1.
void NAME(pack)(REAL *restrict packed, const REAL *restrict b, ptrdiff_t k_stride,
                ptrdiff_t n_stride, ptrdiff_t k, ptrdiff_t n) {
  for (ptrdiff_t first = 0; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t width = (columns + WIDTH - 1) / WIDTH * WIDTH;
    const REAL *from = b + first * n_stride;
    if (n_stride == 1) {
      for (ptrdiff_t p = 0; p < k; ++p) {
        FOR_VECTORS(columns, {
          NAME(store)(packed + p * width + j, NAME(load_part)(from + p * k_stride + j, n));
        })
      }
    } else {
      // Along k the source is dense: squares are read by columns and turned in registers.
      for (ptrdiff_t p = 0; p < k; p += WIDTH) {
        const ptrdiff_t depth = k - p < WIDTH ? k - p : WIDTH;
        for (ptrdiff_t j = 0; j < width; j += WIDTH) {
          VECTOR square[WIDTH];
          for (int i = 0; i < WIDTH; ++i) {
            square[i] = j + i < columns
                            ? NAME(load_part)(from + p + (j + i) * n_stride, depth)
                            : NAME(splat)(0);
          }
          NAME(turn)(square);
          for (int i = 0; i < WIDTH; ++i) {
            if (i < depth) NAME(store)(packed + (p + i) * width + j, square[i]);
          }
        }
      }
    }
    packed += k * width;
  }
}

// Where a tile begins: from what stands in the output, or from a row (zero if null).
enum { NAME(FROM_OUTPUT), NAME(FROM_ROW) };

// What a tile calls into the caches while it computes. A tile's own memory arrives too late: its
// rows come from further away than it can look ahead, and its results, stored at once, would hold
// all the buffers through which its panel comes. Any of it may be null.
typedef struct {
  const REAL *rows;      // the next tile's rows of a, strides as this one's
  REAL *out;             // output rows: this tile's own where they are only stored, or the next one's
  const REAL *panel;     // a part of the next panel,
  ptrdiff_t panel_step;  // of so many bytes for each of k
  const REAL *source;     // lines that are used soon, as those that the next panel is copied from,
  ptrdiff_t source_step;  // so many numbers apart
} NAME(ahead);

// out[rows, vectors] = start + a b. Element (r, p) of a stands at a[r * row_stride + p * k_stride].
INLINE void NAME(tile)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t row_stride,
                       ptrdiff_t k_stride, const REAL *b, ptrdiff_t k, ptrdiff_t columns,
                       const REAL *start, int from, const NAME(ahead) *ahead, const int rows,
                       const int vectors) {
  VECTOR sums[TILE_ROWS][TILE_VECTORS];
  const ptrdiff_t last = columns - (vectors - 1) * WIDTH;
  UNROLL_ALL for (int v = 0; v < vectors; ++v) {
    const ptrdiff_t n = v < vectors - 1 ? WIDTH : last;
    if (from == NAME(FROM_OUTPUT)) {
      UNROLL_ALL for (int r = 0; r < rows; ++r) {
        sums[r][v] = NAME(load_part)(out + r * ldout + v * WIDTH, n);
      }
    } else {
      const VECTOR value = start ? NAME(load_part)(start + v * WIDTH, n) : NAME(splat)(0);
      UNROLL_ALL for (int r = 0; r < rows; ++r) sums[r][v] = value;
    }
  }
  // A line of memory holds as many of a row's numbers as are multiplied between two calls.
  const char *panel = (const char *)ahead->panel;
  const REAL *source = ahead->source;
  // Late enough that panels do not drive them out again, early enough that they arrive.
  const ptrdiff_t spare = (k + LINE - 1) / LINE - rows * vectors - LATE_CALLS;
  ptrdiff_t out_line = spare > 0 ? -spare : 0;
  for (ptrdiff_t p = 0; p < k;) {
    const ptrdiff_t end = k - p < LINE ? k : p + LINE;
    if (rows > 1 && ahead->rows) {
      UNROLL_ALL for (int r = 0; r < rows; ++r) {
        const ptrdiff_t line = k_stride == 1 ? r * row_stride + p : p * k_stride + r * LINE;
        __builtin_prefetch(ahead->rows + line, 0, 2);
      }
    }
    if (rows > 1 && ahead->out) {
      // Two, where half as many calls would not reach them all.
      UNROLL_ALL for (int call = 0; call < (k < rows * vectors * LINE ? 2 : 1); ++call, ++out_line) {
        if (out_line >= 0 && out_line < rows * vectors) {
          __builtin_prefetch(ahead->out + out_line / vectors * ldout + out_line % vectors * WIDTH, 1, 3);
        }
      }
    }
    if (rows > 1 && source) {
      __builtin_prefetch(source, 0, 2);
      source += ahead->source_step;
    }
    for (; p < end; ++p) {
      VECTOR column[TILE_VECTORS];
      UNROLL_ALL for (int v = 0; v < vectors; ++v) column[v] = NAME(load)(b + v * WIDTH);
      b += vectors * WIDTH;
      if (rows > 1) {  // one row reads its panels too fast to have loads to spare
        __builtin_prefetch(panel, 0, 2);
        panel += ahead->panel_step;
      }
      UNROLL_ALL for (int r = 0; r < rows; ++r) {
        const VECTOR factor = NAME(splat)(a[r * row_stride + p * k_stride]);
        UNROLL_ALL for (int v = 0; v < vectors; ++v) {
          sums[r][v] = MULTIPLY_ADD(factor, column[v], sums[r][v]);
        }
      }
    }
  }
  UNROLL_ALL for (int v = 0; v < vectors; ++v) {
    const ptrdiff_t n = v < vectors - 1 ? WIDTH : last;
    UNROLL_ALL for (int r = 0; r < rows; ++r) {
      NAME(store_part)(out + r * ldout + v * WIDTH, sums[r][v], n);
    }
  }
}

// One function for each number of rows, with the loops over rows and vectors unrolled.
#define TILE_FUNCTION(ROWS, VECTORS)                                                             \
  static void NAME(tile_##ROWS##_##VECTORS)(                                                     \
      REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t row_stride, ptrdiff_t k_stride,       \
      const REAL *b, ptrdiff_t k, ptrdiff_t columns, const REAL *start, int from,                \
      const NAME(ahead) *ahead) {                                                                \
    if (k_stride == 1) {                                                                         \
      NAME(tile)(out, ldout, a, row_stride, 1, b, k, columns, start, from, ahead, ROWS,          \
                 VECTORS);                                                                       \
    } else if (row_stride == 1 && k_stride == TILE_ROWS) {                                       \
      NAME(tile)(out, ldout, a, 1, TILE_ROWS, b, k, columns, start, from, ahead, ROWS, VECTORS); \
    } else {                                                                                     \
      NAME(tile)(out, ldout, a, row_stride, k_stride, b, k, columns, start, from, ahead, ROWS,   \
                 VECTORS);                                                                       \
    }                                                                                            \
  }
typedef void (*NAME(tile_function))(REAL *, ptrdiff_t, const REAL *, ptrdiff_t, ptrdiff_t,
                                    const REAL *, ptrdiff_t, ptrdiff_t, const REAL *, int,
                                    const NAME(ahead) *);
#define TILE_FUNCTIONS(VECTORS)                                                            \
  TILE_FUNCTION(1, VECTORS) TILE_FUNCTION(2, VECTORS) TILE_FUNCTION(3, VECTORS)            \
  TILE_FUNCTION(4, VECTORS) TILE_FUNCTION(5, VECTORS) TILE_FUNCTION(6, VECTORS)
#define TILE_NAMES(VECTORS)                                                                \
  {NAME(tile_1_##VECTORS), NAME(tile_2_##VECTORS), NAME(tile_3_##VECTORS),                 \
   NAME(tile_4_##VECTORS), NAME(tile_5_##VECTORS), NAME(tile_6_##VECTORS)}
#if TILE_ROWS != 6
#error "the tables below are for tiles of six rows"
#endif

TILE_FUNCTIONS(1)
TILE_FUNCTIONS(2)
#if TILE_VECTORS == 4
TILE_FUNCTIONS(3)
TILE_FUNCTIONS(4)
static const NAME(tile_function) NAME(tiles)[TILE_VECTORS][TILE_ROWS] = {
    TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4)};
#else
static const NAME(tile_function) NAME(tiles)[TILE_VECTORS][TILE_ROWS] = {TILE_NAMES(1),
                                                                         TILE_NAMES(2)};
#endif

// Panels that a single row passes at once: with fewer sums it would wait for each one's last addition.
#define ROW_PANELS (8 / TILE_VECTORS)

// One row and ROW_PANELS whole panels.
static void NAME(row_tile)(REAL *out, const REAL *a, const REAL *b, ptrdiff_t k, const REAL *start,
                           int from) {
  enum { VECTORS = ROW_PANELS * TILE_VECTORS };
  VECTOR sums[VECTORS];
  const REAL *place = from == NAME(FROM_OUTPUT) ? out : start;
  UNROLL_ALL for (int v = 0; v < VECTORS; ++v) {
    sums[v] = place ? NAME(load)(place + v * WIDTH) : NAME(splat)(0);
  }
  for (ptrdiff_t p = 0; p < k; ++p) {
    const VECTOR factor = NAME(splat)(a[p]);
    UNROLL_ALL for (int v = 0; v < VECTORS; ++v) {
      const REAL *column = b + (v / TILE_VECTORS * k + p) * PANEL_COLUMNS + v % TILE_VECTORS * WIDTH;
      sums[v] = MULTIPLY_ADD(factor, NAME(load)(column), sums[v]);
    }
  }
  UNROLL_ALL for (int v = 0; v < VECTORS; ++v) NAME(store)(out + v * WIDTH, sums[v]);
}

// Rows that come in `groups` of `rows`, out_group and a_group numbers apart: the same sequences
// at several time steps.
typedef struct {
  ptrdiff_t groups, rows, out_group, a_group;
} NAME(row_groups);

// Memory that is used after a product and is far: called into the caches while it computes.
typedef struct {
  const REAL *start;
  ptrdiff_t lines;
} NAME(far_lines);
enum { NAME(FAR_PARTS) = 3 };

// `count` lines in a row from a line on, all parts taken as one; null if no part has them all.
static const REAL *NAME(lines_at)(const NAME(far_lines) * far, ptrdiff_t line, ptrdiff_t count) {
  for (int part = 0; line >= 0 && part < NAME(FAR_PARTS); ++part) {
    if (line < far[part].lines) {
      return line + count <= far[part].lines ? far[part].start + line * LINE : 0;
    }
    line -= far[part].lines;
  }
  return 0;
}

// out = start + a b for all rows; b is packed, [k,n]. `far` has FAR_PARTS, or is null; one tile calls
// none of them.
static void NAME(product_ahead)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                                const REAL *packed, ptrdiff_t k, ptrdiff_t n,
                                NAME(row_groups) rows, const REAL *start, int from,
                                const NAME(far_lines) * far) {
  const ptrdiff_t tile_count = (rows.rows + TILE_ROWS - 1) / TILE_ROWS;
  const ptrdiff_t tile_total = tile_count * rows.groups;
  if (tile_total == 0) return;
  const int is_near = tile_total < FAR_TILES;
  // The far lines take the last of all calls, so that they are still there when they are used.
  ptrdiff_t line = 0;
  for (int part = 0; far && part < NAME(FAR_PARTS); ++part) line += far[part].lines;
  const ptrdiff_t panels = (n + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
  line -= panels * tile_total * ((k + LINE - 1) / LINE);
  if (line > 0) line = 0;  // there are more than calls
  ptrdiff_t first = 0;
  if (rows.rows * rows.groups == 1) {  // a sequence alone
    for (; n - first >= ROW_PANELS * PANEL_COLUMNS; first += ROW_PANELS * PANEL_COLUMNS) {
      NAME(row_tile)(out + first, a, packed + first * k, k, start ? start + first : start, from);
    }
    packed += first * k;
  }
  for (; first < n; first += PANEL_COLUMNS) {
    const ptrdiff_t columns = n - first < PANEL_COLUMNS ? n - first : PANEL_COLUMNS;
    const ptrdiff_t vectors = (columns + WIDTH - 1) / WIDTH;
    const NAME(tile_function) *tiles = NAME(tiles)[vectors - 1];
    ptrdiff_t depth = 0;
    do {
      const ptrdiff_t count = k - depth < PANEL_DEPTH ? k - depth : PANEL_DEPTH;
      // What comes next is called into the cache while the rows pass by, each tile its share.
      const REAL *here = packed + depth * vectors * WIDTH;
      const ptrdiff_t size = count * vectors * WIDTH;
      // Rounded up: rounded down, and to whole numbers, up to half of a panel was never called. (More than
      // a line, as two or three tiles would have to call: no change.)
      const ptrdiff_t share =
          (vectors * WIDTH * (ptrdiff_t)sizeof(REAL) + tile_total - 1) / tile_total;
      const int is_last = depth + count >= k && first + columns >= n;
      const ptrdiff_t calls = (count + LINE - 1) / LINE;
      ptrdiff_t tile = 0;
      if (tile_total == 1) {  // a few rows alone: no division, and nothing ahead to share out
        tiles[rows.rows - 1](out + first, ldout, a + depth, lda, 1, here, count, columns,
                             start ? start + first : start, depth > 0 ? NAME(FROM_OUTPUT) : from,
                             &(NAME(ahead)){.panel = here});
        depth += count;
        continue;
      }
      for (ptrdiff_t group = 0; group < rows.groups; ++group) {
        REAL *out_rows = out + group * rows.out_group + first;
        const REAL *a_rows = a + group * rows.a_group + depth;
        for (ptrdiff_t i = 0; i < tile_count; ++i) {
          const ptrdiff_t row = rows.rows * i / tile_count;
          const ptrdiff_t next = rows.rows * (i + 1) / tile_count;
          const int first_sums = depth == 0 && from == NAME(FROM_ROW), is_final = i + 1 == tile_count;
          REAL *here_out = out_rows + row * ldout;
          const NAME(ahead) ahead = {
              .rows = is_near || is_final ? 0 : a_rows + next * lda,
              .out = is_near ? 0 : first_sums ? here_out : is_final ? 0 : out_rows + next * ldout,
              .panel = is_last ? here : here + size + size * tile / tile_total,
              .panel_step = is_last ? 0 : share,
              .source = far ? NAME(lines_at)(far, line, calls) : 0,
              .source_step = LINE};
          line += calls;
          tiles[next - row - 1](here_out, ldout, a_rows + row * lda, lda, 1, here, count, columns,
                                start ? start + first : start,
                                depth > 0 ? NAME(FROM_OUTPUT) : from, &ahead);
          tile += 1;
        }
      }
      depth += count;
    } while (depth < k);
    packed += k * vectors * WIDTH;
  }
}

static void NAME(product)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                          const REAL *packed, ptrdiff_t k, ptrdiff_t n, NAME(row_groups) rows,
                          const REAL *start, int from) {
  NAME(product_ahead)(out, ldout, a, lda, packed, k, n, rows, start, from, 0);
}

INLINE NAME(row_groups) NAME(one_group)(ptrdiff_t rows) {
  return (NAME(row_groups)){1, rows, 0, 0};
}
