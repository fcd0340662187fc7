// Dense layers over many rows. Where the output is wide, a worker packs one panel at a time, just
// before its rows pass by. Where it is narrow and the sums are long, as for the gradient of a
// softmax's input, a worker has rows of its own and packs all panels for a part of the sums: else
// every panel would read all of the long rows again.

// Such parts of all panels fill less than half of the second-level cache, beside rows and sums.
enum { NAME(NARROW_ROOM) = 458752 / sizeof(REAL), NAME(NARROW_ROWS) = 96 };

INLINE int NAME(has_narrow_inputs)(const unroll_dense *d) {
  return d->k > 0 && d->k <= 2048 && d->n >= 2 * d->k && d->m >= 2 * NAME(NARROW_ROWS);
}

INLINE ptrdiff_t NAME(narrow_depth)(ptrdiff_t columns) {
  const ptrdiff_t depth = NAME(NARROW_ROOM) / NAME(padded)(columns);
  return depth < PANEL_DEPTH ? depth : PANEL_DEPTH;
}

// Room for packed panels and copied rows.
static ptrdiff_t NAME(dense_room)(const unroll_dense *d) {
  const ptrdiff_t deepest = d->k > d->n ? d->k : d->n;
  const ptrdiff_t panel = (deepest < PANEL_DEPTH ? deepest : PANEL_DEPTH) * PANEL_COLUMNS;
  const ptrdiff_t sums = NAME(transposed_room)(d->m, deepest);
  const ptrdiff_t narrow = NAME(has_narrow_inputs)(d) ? NAME(NARROW_ROOM) : 0;
  const ptrdiff_t most = panel > sums ? panel : sums;
  return (most > narrow ? most : narrow) + 16;
}

ptrdiff_t NAME(dense_scratch)(const unroll_dense *d) {
  return unroll_thread_count() * NAME(dense_room)(d);
}

typedef struct {
  const unroll_dense *dense;
  REAL *out;
  const REAL *a, *out_gradient;
  REAL *weight_gradient, *bias_gradient;
  ptrdiff_t columns;             ///< of `out`, or of a piece of the weights' gradient
  ptrdiff_t depth;               ///< summed over
  ptrdiff_t k_stride, n_stride;  ///< of the packed matrix
  const REAL *start;
  ptrdiff_t parts;               ///< of the rows
  int adds;
} NAME(dense_job);

// One panel of out[m, columns] = start + a[m, depth] b.
static void NAME(dense_panel)(void *context, ptrdiff_t index) {
  const NAME(dense_job) *job = context;
  const unroll_dense *d = job->dense;
  const ptrdiff_t first = index * PANEL_COLUMNS, left = job->columns - first;
  const ptrdiff_t columns = left < PANEL_COLUMNS ? left : PANEL_COLUMNS;
  REAL *panel = (REAL *)d->scratch + unroll_worker_index() * NAME(dense_room)(d);
  const REAL *b = d->weights;
  const unroll_float_mode mode = unroll_flush_subnormals();
  ptrdiff_t p = 0;
  do {
    const ptrdiff_t left_depth = job->depth - p;
    const ptrdiff_t depth = left_depth < PANEL_DEPTH ? left_depth : PANEL_DEPTH;
    NAME(pack)(panel, b + p * job->k_stride + first * job->n_stride, job->k_stride, job->n_stride,
               depth, columns);
    NAME(product)(job->out + first, job->columns, job->a + p, job->depth, panel, depth, columns,
                  NAME(one_group)(d->m), job->start ? job->start + first : 0,
                  p > 0 ? NAME(FROM_OUTPUT) : NAME(FROM_ROW));
    p += depth;
  } while (p < job->depth);
  unroll_restore_float_mode(mode);
}

// A worker's rows of out[m, columns] = a[m, depth] b, columns few.
static void NAME(dense_rows)(void *context, ptrdiff_t index) {
  const NAME(dense_job) *job = context;
  const unroll_dense *d = job->dense;
  const ptrdiff_t first = d->m * index / job->parts, last = d->m * (index + 1) / job->parts;
  REAL *panels = (REAL *)d->scratch + unroll_worker_index() * NAME(dense_room)(d);
  const REAL *b = d->weights;
  const ptrdiff_t most = NAME(narrow_depth)(job->columns);
  const unroll_float_mode mode = unroll_flush_subnormals();
  for (ptrdiff_t p = 0; p < job->depth; p += most) {
    const ptrdiff_t left = job->depth - p, depth = left < most ? left : most;
    NAME(pack)(panels, b + p * job->k_stride, job->k_stride, job->n_stride, depth, job->columns);
    for (ptrdiff_t row = first; row < last; row += NAME(NARROW_ROWS)) {
      const ptrdiff_t rows = last - row < NAME(NARROW_ROWS) ? last - row : NAME(NARROW_ROWS);
      NAME(product)(job->out + row * job->columns, job->columns, job->a + row * job->depth + p,
                    job->depth, panels, depth, job->columns, NAME(one_group)(rows), 0,
                    p > 0 ? NAME(FROM_OUTPUT) : NAME(FROM_ROW));
    }
  }
  unroll_restore_float_mode(mode);
}

static ptrdiff_t NAME(panel_count)(ptrdiff_t columns) {
  return (columns + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
}

void NAME(dense_forward)(const unroll_dense *d, REAL *out) {
  NAME(dense_job) job = {.dense = d, .out = out, .a = d->a, .columns = d->n, .depth = d->k};
  job.k_stride = d->is_transposed ? 1 : d->n;
  job.n_stride = d->is_transposed ? d->k : 1;
  job.start = d->bias;
  unroll_parallel(NAME(panel_count)(d->n), NAME(dense_panel), &job);
}

// A piece of the weights' gradient: of [k,n] = a^T dout columns, two pieces for each thread, since
// every piece copies a; of [n,k] = dout^T a a run of rows.
enum { NAME(GRADIENT_ROWS) = 768 };

static ptrdiff_t NAME(gradient_columns)(ptrdiff_t n) {
  const ptrdiff_t panels = NAME(panel_count)(n), share = 2 * unroll_thread_count();
  return (panels + share - 1) / share * PANEL_COLUMNS;
}

static void NAME(dense_weights)(void *context, ptrdiff_t index) {
  const NAME(dense_job) *job = context;
  const unroll_dense *d = job->dense;
  REAL *room = (REAL *)d->scratch + unroll_worker_index() * NAME(dense_room)(d);
  const ptrdiff_t size = job->columns;
  const ptrdiff_t first = index * size, end = first + size;
  const ptrdiff_t last = end < d->n ? end : d->n;
  const unroll_float_mode mode = unroll_flush_subnormals();
  if (d->is_transposed) {
    NAME(transposed_product)(job->weight_gradient + first * d->k, d->k,
                             NAME(all_rows)(job->out_gradient + first), d->n, d->a, d->k, d->m,
                             last - first, 0, d->k, 0, job->adds, room);
  } else {
    NAME(transposed_product)(job->weight_gradient, d->n, NAME(all_rows)(d->a), d->k,
                             job->out_gradient, d->n, d->m, d->k, first, last,
                             job->bias_gradient, job->adds, room);
  }
  unroll_restore_float_mode(mode);
}

void NAME(dense_backward)(const unroll_dense *d, const REAL *out_gradient, REAL *input_gradient,
                          REAL *weight_gradient, REAL *bias_gradient, int adds) {
  NAME(dense_job) job = {.dense = d, .out = input_gradient, .a = out_gradient,
                         .out_gradient = out_gradient, .weight_gradient = weight_gradient,
                         .bias_gradient = bias_gradient, .columns = d->k, .depth = d->n,
                         .adds = adds};
  if (!adds && d->m == 0) NAME(set)(weight_gradient, 0, d->k * d->n);
  if (bias_gradient && !adds && (d->m == 0 || d->is_transposed)) {
    NAME(set)(bias_gradient, 0, d->n);
  }
  if (input_gradient) {
    job.k_stride = d->is_transposed ? d->k : 1;
    job.n_stride = d->is_transposed ? 1 : d->n;
    if (NAME(has_narrow_inputs)(d)) {
      job.parts = unroll_thread_count();
      unroll_parallel(job.parts, NAME(dense_rows), &job);
    } else {
      unroll_parallel(NAME(panel_count)(d->k), NAME(dense_panel), &job);
    }
  }
  if (d->is_transposed && bias_gradient) {
    for (ptrdiff_t row = 0; row < d->m; ++row) {
      NAME(add)(bias_gradient, out_gradient + row * d->n, d->n);
    }
  }
  if (d->n == 0) return;
  job.columns = d->is_transposed ? NAME(GRADIENT_ROWS) : NAME(gradient_columns)(d->n);
  unroll_parallel((d->n + job.columns - 1) / job.columns, NAME(dense_weights), &job);
}

typedef struct {
  REAL *out, *scratch;
  const REAL *a, *b;
  ptrdiff_t ldout, lda, ldb, m, k, n, columns;
} NAME(sum_job);

static void NAME(sum_panels)(void *context, ptrdiff_t index) {
  const NAME(sum_job) *job = context;
  const ptrdiff_t first = index * job->columns, end = first + job->columns;
  const unroll_float_mode mode = unroll_flush_subnormals();
  NAME(transposed_product)(job->out, job->ldout, NAME(all_rows)(job->a), job->lda, job->b,
                           job->ldb, job->m, job->k, first, end < job->n ? end : job->n, 0, 1,
                           job->scratch +
                               unroll_worker_index() * NAME(transposed_room)(job->m, job->k));
  unroll_restore_float_mode(mode);
}

ptrdiff_t NAME(transposed_sum_scratch)(ptrdiff_t m, ptrdiff_t k) {
  return unroll_thread_count() * NAME(transposed_room)(m, k);
}

void NAME(transposed_sum)(REAL *out, ptrdiff_t ldout, const REAL *a, ptrdiff_t lda, const REAL *b,
                          ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, REAL *scratch) {
  if (n == 0) return;
  NAME(sum_job) job = {out, scratch, a, b, ldout, lda, ldb, m, k, n, NAME(gradient_columns)(n)};
  unroll_parallel((n + job.columns - 1) / job.columns, NAME(sum_panels), &job);
}
