// Functions of whole arrays: softmax and its loss, sums of squares, the optimisers' updates.

#ifndef UNROLL_ARRAY_KERNELS_H
#define UNROLL_ARRAY_KERNELS_H

#include "../vector/math.h"
#include "unroll_arrays.h"
#include "unroll_dense.h"
#include "unroll_machine.h"

static void apply_function(void *to, const void *from, ptrdiff_t count, int32_t function) {
  real *out = to;
  const real *in = from;
  if (function == UNROLL_VECTOR_TANH) {
    FOR_VECTORS(count, { store_part(out + j, vector_tanh(load_part(in + j, n)), n); })
  } else if (function == UNROLL_VECTOR_SIGMOID) {
    FOR_VECTORS(count, { store_part(out + j, vector_sigmoid(load_part(in + j, n)), n); })
  } else {
    FOR_VECTORS(count, { store_part(out + j, vector_exp(load_part(in + j, n)), n); })
  }
}

typedef struct {
  real *values, *first, *second;
  const real *gradient;
  double *sums;
  const int32_t *targets;
  ptrdiff_t rows, columns;
  real scale;
  int wants_loss;
  const unroll_update *update;
} array_job;

enum { ARRAY_BLOCK = 16384 };

// exp(row - its largest) in place; returns the sum, and the largest number.
INLINE double exponentiate(real *row, ptrdiff_t count, real *largest) {
  vector top = splat(row[0]);
  ptrdiff_t j = 0;
  for (; j + WIDTH <= count; j += WIDTH) {
    const vector x = load(row + j);
    top = x > top ? x : top;
  }
  real most = top[0];
  for (int i = 1; i < WIDTH; ++i) most = top[i] > most ? top[i] : most;
  for (; j < count; ++j) most = row[j] > most ? row[j] : most;
  // Runs of a vector's numbers stay short enough for the element type, longer sums are double.
  double sum = 0;
  for (ptrdiff_t block = 0; block < count; block += 64 * WIDTH) {
    const ptrdiff_t length = count - block < 64 * WIDTH ? count - block : 64 * WIDTH;
    vector part = splat(0);
    FOR_VECTORS(length, {
      const vector e = vector_exp(load_part(row + block + j, n) - most);
      store_part(row + block + j, e, n);
      part += n == WIDTH ? e : load_part(row + block + j, n);
    })
    sum += (double)vector_sum(part);
  }
  *largest = most;
  return sum;
}

INLINE void multiply_row(real *row, ptrdiff_t count, real factor) {
  FOR_VECTORS(count,
              { store_part(row + j, load_part(row + j, n) * factor, n); })
}

static void softmax_rows(void *context, ptrdiff_t part, int worker) {
  (void)worker;
  const array_job *job = context;
  const ptrdiff_t last = (part + 1) * 8 < job->rows ? (part + 1) * 8 : job->rows;
  for (ptrdiff_t i = part * 8; i < last; ++i) {
    real *row = job->values + i * job->columns, most;
    if (!job->wants_loss) {
      const double sum = exponentiate(row, job->columns, &most);
      multiply_row(row, job->columns, (real)(1 / sum));
      continue;
    }
    const int32_t target = job->targets[i];
    if (target < 0) {
      fill(row, 0, job->columns);
      job->sums[i] = 0;
      continue;
    }
    const real chosen = row[target];
    const double sum = exponentiate(row, job->columns, &most);
    job->sums[i] = log(sum) + ((double)most - (double)chosen);
    multiply_row(row, job->columns, (real)((double)job->scale / sum));
    row[target] -= job->scale;
  }
}

static void softmax(const unroll_softmax *s) {
  array_job job = {.values = s->logits, .sums = s->losses, .targets = s->targets, .rows = s->rows,
                   .columns = s->classes, .scale = (real)s->scale, .wants_loss = s->targets != 0};
  // Without classes there is nothing to be wrong about.
  for (ptrdiff_t row = 0; s->targets && s->classes == 0 && row < s->rows; ++row) s->losses[row] = 0;
  if (s->classes > 0) unroll_parallel((s->rows + 7) / 8, s->threads, softmax_rows, &job);
}

// Each block's squares are summed by lanes, the blocks in order and in double.
INLINE double block_squares(const real *values, ptrdiff_t count) {
  double total = 0;
  for (ptrdiff_t block = 0; block < count; block += 256 * WIDTH) {
    const ptrdiff_t length = count - block < 256 * WIDTH ? count - block : 256 * WIDTH;
    vector parts[4] = {0, 0, 0, 0};
    ptrdiff_t j = 0;
    for (; j + 4 * WIDTH <= length; j += 4 * WIDTH) {
      for (int i = 0; i < 4; ++i) {
        const vector x = load(values + block + j + i * WIDTH);
        parts[i] = MULTIPLY_ADD(x, x, parts[i]);
      }
    }
    for (; j < length; j += WIDTH) {
      const ptrdiff_t n = length - j < WIDTH ? length - j : WIDTH;
      const vector x = load_part(values + block + j, n);
      parts[0] = MULTIPLY_ADD(x, x, parts[0]);
    }
    total += (double)vector_sum((parts[0] + parts[1]) + (parts[2] + parts[3]));
  }
  return total;
}

static void squares_part(void *context, ptrdiff_t part, int worker) {
  (void)worker;
  const array_job *job = context;
  const ptrdiff_t begin = part * job->columns, left = job->rows - begin;
  job->sums[part] =
      block_squares(job->values + begin, left < job->columns ? left : job->columns);
}

// Parts are cut by the count alone, so that their sums, added in order, do not depend on threads.
static double sum_of_squares(const void *values, ptrdiff_t count, int threads) {
  enum { PARTS = 256 };
  double sums[PARTS], total = 0;
  ptrdiff_t length = (count + PARTS - 1) / PARTS;
  if (length < ARRAY_BLOCK) length = ARRAY_BLOCK;
  array_job job = {.values = (real *)values, .sums = sums, .rows = count, .columns = length};
  const ptrdiff_t parts = (count + length - 1) / length;
  unroll_parallel(parts, threads, squares_part, &job);
  for (ptrdiff_t part = 0; part < parts; ++part) total += sums[part];
  return total;
}

static void update_block(void *context, ptrdiff_t block, int worker) {
  (void)worker;
  const array_job *job = context;
  const unroll_update *u = job->update;
  const ptrdiff_t begin = block * ARRAY_BLOCK, left = job->rows - begin;
  const ptrdiff_t count = left < ARRAY_BLOCK ? left : ARRAY_BLOCK;
  real *p = job->values + begin, *first = job->first ? job->first + begin : 0;
  real *second = job->second ? job->second + begin : 0;
  const real *g = job->gradient + begin;
  const real rate = (real)u->rate, decay = (real)u->weight_decay, scale = (real)u->gradient_scale;
  const real epsilon = (real)u->epsilon, momentum = (real)u->momentum;
  const real beta1 = (real)u->beta1, beta2 = (real)u->beta2;
  const real kept1 = (real)(1 - u->beta1), kept2 = (real)(1 - u->beta2);
#define GET(array) load_part((array) + j, n)
#define PUT(array, value) store_part((array) + j, value, n)
  switch (u->kind) {
    case UNROLL_SGD:
      FOR_VECTORS(count, {
        const vector x = GET(p);
        PUT(p, x - rate * MULTIPLY_ADD(x, splat(decay), GET(g) * scale));
      })
      break;
    case UNROLL_MOMENTUM:
      FOR_VECTORS(count, {
        const vector x = GET(p);
        const vector d = MULTIPLY_ADD(x, splat(decay), GET(g) * scale);
        const vector m = MULTIPLY_ADD(GET(first), splat(momentum), d);
        PUT(first, m);
        PUT(p, x - rate * m);
      })
      break;
    case UNROLL_RMSPROP:
      FOR_VECTORS(count, {
        const vector x = GET(p);
        const vector d = MULTIPLY_ADD(x, splat(decay), GET(g) * scale);
        const vector s = MULTIPLY_ADD(GET(second), splat(beta2), d * d * kept2);
        PUT(second, s);
        PUT(p, x - rate * d / (__builtin_elementwise_sqrt(s) + epsilon));
      })
      break;
    default: {
      const double step = (double)u->step;
      const real correction = (real)(u->rate / (1 - pow(u->beta1, step)));
      const real root = (real)(1 / sqrt(1 - pow(u->beta2, step)));
      const real shrink = (real)(1 - u->rate * u->weight_decay);
      FOR_VECTORS(count, {
        const vector d = GET(g) * scale;
        const vector m = MULTIPLY_ADD(GET(first), splat(beta1), d * kept1);
        const vector s = MULTIPLY_ADD(GET(second), splat(beta2), d * d * kept2);
        PUT(first, m);
        PUT(second, s);
        const vector below = MULTIPLY_ADD(__builtin_elementwise_sqrt(s), splat(root),
                                          splat(epsilon));
        PUT(p, GET(p) * shrink - correction * m / below);
      })
    }
  }
#undef GET
#undef PUT
}

static void update_parameters(const unroll_update *update, void *parameters, const void *gradient, void *first,
                              void *second, ptrdiff_t count) {
  array_job job = {.values = parameters, .first = first, .second = second, .gradient = gradient, .rows = count,
                   .update = update};
  unroll_parallel((count + ARRAY_BLOCK - 1) / ARRAY_BLOCK, update->threads, update_block, &job);
}

#endif
