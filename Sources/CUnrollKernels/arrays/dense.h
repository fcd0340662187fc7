// Dense layers over many rows. If the output is wide, a worker packs one panel at a time, just before the rows are
// multiplied by it. If it is narrow and the sums are long, as in the gradient of a softmax's input, a worker has rows of
// its own and packs all panels for a part of the sums, so that the long rows are not read again for each panel.

#ifndef UNROLL_DENSE_KERNELS_H
#define UNROLL_DENSE_KERNELS_H

#include "../layout.h"
#include "../products/transposed.h"
#include "unroll_dense.h"
#include "unroll_machine.h"

// In numbers; these panels fill less than half of an L2 cache of 1 MB, next to rows and sums.
enum { FEW_COLUMNS_SCRATCH = 458752 / sizeof(real), FEW_COLUMNS_ROWS = 96 };

INLINE int has_few_columns(const unroll_dense *d) {
  return d->k > 0 && d->k <= 2048 && d->n >= 2 * d->k && d->m >= 2 * FEW_COLUMNS_ROWS;
}

INLINE ptrdiff_t few_columns_depth(ptrdiff_t columns) {
  const ptrdiff_t depth = FEW_COLUMNS_SCRATCH / padded(columns);
  return depth < PANEL_DEPTH ? depth : PANEL_DEPTH;
}

// Scratch of a worker: packed panels and copied rows.
static ptrdiff_t dense_part_scratch(const unroll_dense *d) {
  const ptrdiff_t deepest = d->k > d->n ? d->k : d->n;
  const ptrdiff_t panel = (deepest < PANEL_DEPTH ? deepest : PANEL_DEPTH) * PANEL_COLUMNS;
  const ptrdiff_t sums = transposed_scratch(d->m, deepest);
  const ptrdiff_t narrow = has_few_columns(d) ? FEW_COLUMNS_SCRATCH : 0;
  const ptrdiff_t most = panel > sums ? panel : sums;
  return (most > narrow ? most : narrow) + 16;
}

static ptrdiff_t dense_scratch(const unroll_dense *d) { return d->threads * dense_part_scratch(d); }

typedef struct {
  const unroll_dense *dense;
  real *out;
  const real *a, *out_gradient;
  real *weight_gradient, *bias_gradient;
  ptrdiff_t columns;             ///< of `out`, or of a piece of the weights' gradient
  ptrdiff_t depth;               ///< summed over
  ptrdiff_t k_stride, n_stride;  ///< of the packed matrix
  const real *start;
  ptrdiff_t parts;               ///< of the rows
  int adds;
} dense_job;

// One panel of out[m, columns] = start + a[m, depth] b.
static void dense_panel(void *context, ptrdiff_t index, int worker) {
  const dense_job *job = context;
  const unroll_dense *d = job->dense;
  const ptrdiff_t first = index * PANEL_COLUMNS, left = job->columns - first;
  const ptrdiff_t columns = left < PANEL_COLUMNS ? left : PANEL_COLUMNS;
  real *panel = (real *)d->scratch + worker * dense_part_scratch(d);
  const real *b = d->weights;
  ptrdiff_t p = 0;
  do {
    const ptrdiff_t left_depth = job->depth - p;
    const ptrdiff_t depth = left_depth < PANEL_DEPTH ? left_depth : PANEL_DEPTH;
    pack_panels(panel, b + p * job->k_stride + first * job->n_stride, job->k_stride, job->n_stride,
               depth, columns);
    packed_product(job->out + first, job->columns, job->a + p, job->depth, panel, depth, columns,
                  one_group(d->m), job->start ? job->start + first : 0,
                  p > 0 ? FROM_OUTPUT : FROM_ROW);
    p += depth;
  } while (p < job->depth);
}

// A worker's rows of out[m, columns] = a[m, depth] b, columns few.
static void dense_rows(void *context, ptrdiff_t index, int worker) {
  const dense_job *job = context;
  const unroll_dense *d = job->dense;
  const ptrdiff_t first = d->m * index / job->parts, last = d->m * (index + 1) / job->parts;
  real *panels = (real *)d->scratch + worker * dense_part_scratch(d);
  const real *b = d->weights;
  const ptrdiff_t most = few_columns_depth(job->columns);
  for (ptrdiff_t p = 0; p < job->depth; p += most) {
    const ptrdiff_t left = job->depth - p, depth = left < most ? left : most;
    pack_panels(panels, b + p * job->k_stride, job->k_stride, job->n_stride, depth, job->columns);
    for (ptrdiff_t row = first; row < last; row += FEW_COLUMNS_ROWS) {
      const ptrdiff_t rows = last - row < FEW_COLUMNS_ROWS ? last - row : FEW_COLUMNS_ROWS;
      packed_product(job->out + row * job->columns, job->columns, job->a + row * job->depth + p,
                    job->depth, panels, depth, job->columns, one_group(rows), 0,
                    p > 0 ? FROM_OUTPUT : FROM_ROW);
    }
  }
}

static ptrdiff_t panel_count(ptrdiff_t columns) {
  return (columns + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
}

static void dense_forward(const unroll_dense *d, void *out) {
  dense_job job = {.dense = d, .out = out, .a = d->a, .columns = d->n, .depth = d->k};
  job.k_stride = d->is_transposed ? 1 : d->n;
  job.n_stride = d->is_transposed ? d->k : 1;
  job.start = d->bias;
  unroll_parallel(panel_count(d->n), d->threads, dense_panel, &job);
}

// The weight gradient is divided by columns, [k,n] = a^T dout, into two pieces for each thread, since every piece copies
// a; or by rows, [n,k] = dout^T a.
enum { GRADIENT_ROWS = 768 };

static ptrdiff_t gradient_columns(ptrdiff_t n, int threads) {
  const ptrdiff_t panels = panel_count(n), share = 2 * threads;
  return (panels + share - 1) / share * PANEL_COLUMNS;
}

static void dense_weights(void *context, ptrdiff_t index, int worker) {
  const dense_job *job = context;
  const unroll_dense *d = job->dense;
  real *scratch = (real *)d->scratch + worker * dense_part_scratch(d);
  const ptrdiff_t size = job->columns;
  const ptrdiff_t first = index * size, end = first + size;
  const ptrdiff_t last = end < d->n ? end : d->n;
  if (d->is_transposed) {
    transposed_product(job->weight_gradient + first * d->k, d->k,
                             all_rows(job->out_gradient + first), d->n, d->a, d->k, d->m,
                             last - first, 0, d->k, 0, job->adds, scratch);
  } else {
    transposed_product(job->weight_gradient, d->n, all_rows(d->a), d->k,
                             job->out_gradient, d->n, d->m, d->k, first, last,
                             job->bias_gradient, job->adds, scratch);
  }
}

static void dense_backward(const unroll_dense *d, const unroll_dense_gradients *g) {
  dense_job job = {.dense = d, .out = g->input, .a = g->out, .out_gradient = g->out, .weight_gradient = g->weights,
                   .bias_gradient = g->bias, .columns = d->k, .depth = d->n, .adds = g->adds};
  if (!g->adds && d->m == 0) fill(g->weights, 0, d->k * d->n);
  if (g->bias && !g->adds && (d->m == 0 || d->is_transposed)) fill(g->bias, 0, d->n);
  if (g->input) {
    job.k_stride = d->is_transposed ? d->k : 1;
    job.n_stride = d->is_transposed ? 1 : d->n;
    if (has_few_columns(d)) {
      job.parts = d->threads;
      unroll_parallel(job.parts, d->threads, dense_rows, &job);
    } else {
      unroll_parallel(panel_count(d->k), d->threads, dense_panel, &job);
    }
  }
  if (d->is_transposed && g->bias) {
    for (ptrdiff_t row = 0; row < d->m; ++row) add_to(g->bias, (const real *)g->out + row * d->n, d->n);
  }
  if (d->n == 0) return;
  job.columns = d->is_transposed ? GRADIENT_ROWS : gradient_columns(d->n, d->threads);
  unroll_parallel((d->n + job.columns - 1) / job.columns, d->threads, dense_weights, &job);
}

typedef struct {
  const unroll_transposed_sum *sum;
  ptrdiff_t columns;
} sum_job;

static void sum_panels(void *context, ptrdiff_t index, int worker) {
  const sum_job *job = context;
  const unroll_transposed_sum *s = job->sum;
  const ptrdiff_t first = index * job->columns, end = first + job->columns;
  transposed_product(s->out, s->ldout, all_rows(s->a), s->lda, s->b, s->ldb, s->m, s->k, first, end < s->n ? end : s->n,
                     0, 1, (real *)s->scratch + worker * transposed_scratch(s->m, s->k));
}

static void transposed_sum(const unroll_transposed_sum *s) {
  if (s->n == 0) return;
  sum_job job = {s, gradient_columns(s->n, s->threads)};
  unroll_parallel((s->n + job.columns - 1) / job.columns, s->threads, sum_panels, &job);
}

#endif
