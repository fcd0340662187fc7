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
// The most rows of one pass of a transposed product, which reads and writes its sums once; without
// copies, the lines of a's rows stay in the first-level cache for neighbouring strips.
#define BLOCK_ROWS 720
#define DIRECT_ROWS 512
// Fewer tiles, as a step has, find their rows and outputs in the caches.
#define FAR_TILES 16
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
  ptrdiff_t panel_step;  // of so many numbers for each of k
  const REAL *source;     // lines that the next panel is copied from,
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
  const REAL *panel = ahead->panel, *source = ahead->source;
  int out_line = 0;
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
      UNROLL_ALL for (int call = 0; call < 2; ++call) {
        if (out_line < rows * vectors && (call == 0 || k < rows * vectors * LINE)) {
          __builtin_prefetch(ahead->out + out_line / vectors * ldout + out_line % vectors * WIDTH, 1, 3);
          ++out_line;
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

// out = start + a b for all rows; b is packed, [k,n].
static void NAME(product)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                          const REAL *packed, ptrdiff_t k, ptrdiff_t n, NAME(row_groups) rows,
                          const REAL *start, int from) {
  const ptrdiff_t tile_count = (rows.rows + TILE_ROWS - 1) / TILE_ROWS;
  const int is_near = tile_count * rows.groups < FAR_TILES;
  ptrdiff_t first = 0;
  if (rows.rows * rows.groups == 1) {  // a stream's step
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
      const ptrdiff_t size = count * vectors * WIDTH, tile_total = tile_count * rows.groups;
      const int is_last = depth + count >= k && first + columns >= n;
      ptrdiff_t tile = 0;
      if (tile_total == 1) {  // a stream's step: no division, and nothing ahead to share out
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
              .panel_step = is_last ? 0 : vectors * WIDTH / tile_total};
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

INLINE NAME(row_groups) NAME(one_group)(ptrdiff_t rows) {
  return (NAME(row_groups)){1, rows, 0, 0};
}

// Strips of TILE_ROWS neighbouring columns, row after row, each `depth` rows long; the last one may be
// narrower. Eight at once read a row's lines while they are near, and whole ones move without masks.
INLINE void NAME(copy_strips)(REAL *to, ptrdiff_t depth, const REAL *from, ptrdiff_t ld,
                              ptrdiff_t rows, ptrdiff_t columns) {
  enum { MANY = 8 };
  ptrdiff_t column = 0;
  for (; columns - column >= MANY * TILE_ROWS; column += MANY * TILE_ROWS) {
    for (ptrdiff_t r = 0; r < rows; ++r) {
      UNROLL_ALL for (ptrdiff_t i = 0; i < MANY; ++i) {
        memcpy(to + column * depth + (i * depth + r) * TILE_ROWS,
               from + r * ld + column + i * TILE_ROWS, TILE_ROWS * sizeof(REAL));
      }
    }
  }
  for (; column < columns; column += TILE_ROWS) {
    const ptrdiff_t width = columns - column < TILE_ROWS ? columns - column : TILE_ROWS;
    for (ptrdiff_t r = 0; r < rows; ++r) {
      REAL *place = to + column * depth + r * TILE_ROWS;
      FOR_VECTORS(width, {
        NAME(store_part)(place + j, NAME(load_part)(from + r * ld + column + j, n), n);
      })
    }
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

// Room for products over up to m rows.
static ptrdiff_t NAME(transposed_room)(ptrdiff_t m, ptrdiff_t k) {
  return (m < BLOCK_ROWS ? m : BLOCK_ROWS) * (PANEL_COLUMNS + k + TILE_ROWS) + 16;
}

// out[k, first ..< last] = or (`adds`) += a[m,k]^T b[m, first ..< last], summed over m in order;
// `sums` (if not null) likewise b's column sums, of those columns. `room` holds transposed_room.
static void NAME(transposed_product)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda,
                                     const REAL *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t k,
                                     ptrdiff_t first, ptrdiff_t last, REAL *sums, int adds,
                                     REAL *room) {
  // Copying a pays where many panels read it.
  const int copies = last - first >= 3 * PANEL_COLUMNS;
  const ptrdiff_t most = copies ? BLOCK_ROWS : DIRECT_ROWS;
  const ptrdiff_t blocks = (m + most - 1) / most;
  const ptrdiff_t depth = blocks > 0 ? (m + blocks - 1) / blocks : 0;
  REAL *panel = room, *strips = room + depth * PANEL_COLUMNS;
  for (ptrdiff_t part = 0; part < blocks; ++part) {
    const ptrdiff_t block = m * part / blocks, count = m * (part + 1) / blocks - block;
    const int from = adds || part > 0 ? NAME(FROM_OUTPUT) : NAME(FROM_ROW);
    const ptrdiff_t lines = (count + LINE - 1) / LINE, calls = (count + lines - 1) / lines;
    if (copies) NAME(copy_strips)(strips, depth, a + block * lda, lda, count, k);
    for (ptrdiff_t column = first; column < last; column += PANEL_COLUMNS) {
      const ptrdiff_t columns = last - column < PANEL_COLUMNS ? last - column : PANEL_COLUMNS;
      const ptrdiff_t vectors = (columns + WIDTH - 1) / WIDTH;
      const NAME(tile_function) *tiles = NAME(tiles)[vectors - 1];
      const int is_last = column + columns >= last;
      REAL *sum = sums ? sums + column : 0;
      if (columns == PANEL_COLUMNS) {
        NAME(copy_panel)(panel, b + block * ldb + column, ldb, count, columns, sum, from,
                         TILE_VECTORS);
      } else {
        NAME(copy_panel)(panel, b + block * ldb + column, ldb, count, columns, sum, from,
                         (int)vectors);
      }
      for (ptrdiff_t strip = 0; strip < k; strip += TILE_ROWS) {
        const ptrdiff_t width = k - strip < TILE_ROWS ? k - strip : TILE_ROWS;
        const REAL *rows = copies ? strips + strip * depth : a + block * lda + strip;
        REAL *to = out + strip * ldout + column;
        const int is_final = strip + TILE_ROWS >= k;
        // Of the next panel's source, a tile calls one vector of as many rows as it has lines.
        const ptrdiff_t call = strip / TILE_ROWS, vector = call / calls;
        const REAL *source = b + (block + call % calls * lines) * ldb + column + PANEL_COLUMNS;
        const NAME(ahead) ahead = {
            .rows = is_final || !copies ? 0 : rows + TILE_ROWS * depth,
            .out = from == NAME(FROM_ROW) ? to : is_final ? 0 : to + TILE_ROWS * ldout,
            .panel = panel,
            .source = is_last || vector >= vectors ? 0 : source + vector * WIDTH,
            .source_step = ldb};
        tiles[width - 1](to, ldout, rows, 1, copies ? TILE_ROWS : lda, panel, count, columns, 0,
                         from, &ahead);
      }
    }
  }
}
