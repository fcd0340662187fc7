// Functions of whole arrays.

// out[i] = f(in[i]) for tanh, sigmoid or exp, as unroll_kernels.h numbers them.
void NAME(function)(REAL *out, const REAL *in, ptrdiff_t count, int32_t kind) {
  if (kind == UNROLL_TANH) {
    FOR_VECTORS(count, { NAME(store_part)(out + j, NAME(tanh)(NAME(load_part)(in + j, n)), n); })
  } else if (kind == UNROLL_SIGMOID) {
    FOR_VECTORS(count,
                { NAME(store_part)(out + j, NAME(sigmoid)(NAME(load_part)(in + j, n)), n); })
  } else {
    FOR_VECTORS(count, { NAME(store_part)(out + j, NAME(exp)(NAME(load_part)(in + j, n)), n); })
  }
}

typedef struct {
  REAL *values, *first, *second;
  const REAL *gradient;
  double *sums;
  const int32_t *targets;
  ptrdiff_t rows, columns;
  REAL scale;
  int wants_loss;
  const unroll_update *update;
} NAME(array_job);

enum { NAME(ARRAY_BLOCK) = 16384 };

// exp(row - its largest) in place; returns the sum, and the largest number.
INLINE double NAME(exponentials)(REAL *row, ptrdiff_t count, REAL *largest) {
  VECTOR top = NAME(splat)(row[0]);
  ptrdiff_t j = 0;
  for (; j + WIDTH <= count; j += WIDTH) {
    const VECTOR x = NAME(load)(row + j);
    top = x > top ? x : top;
  }
  REAL most = top[0];
  for (int i = 1; i < WIDTH; ++i) most = top[i] > most ? top[i] : most;
  for (; j < count; ++j) most = row[j] > most ? row[j] : most;
  // Runs of a vector's numbers stay short enough for the element type, longer sums are double.
  double sum = 0;
  for (ptrdiff_t block = 0; block < count; block += 64 * WIDTH) {
    const ptrdiff_t length = count - block < 64 * WIDTH ? count - block : 64 * WIDTH;
    VECTOR part = NAME(splat)(0);
    FOR_VECTORS(length, {
      const VECTOR e = NAME(exp)(NAME(load_part)(row + block + j, n) - most);
      NAME(store_part)(row + block + j, e, n);
      part += n == WIDTH ? e : NAME(load_part)(row + block + j, n);
    })
    sum += (double)NAME(sum)(part);
  }
  *largest = most;
  return sum;
}

INLINE void NAME(multiply_row)(REAL *row, ptrdiff_t count, REAL factor) {
  FOR_VECTORS(count,
              { NAME(store_part)(row + j, NAME(load_part)(row + j, n) * factor, n); })
}

static void NAME(softmax_rows)(void *context, ptrdiff_t part) {
  const NAME(array_job) *job = context;
  const ptrdiff_t last = (part + 1) * 8 < job->rows ? (part + 1) * 8 : job->rows;
  const unroll_float_mode mode = unroll_flush_subnormals();
  for (ptrdiff_t i = part * 8; i < last; ++i) {
    REAL *row = job->values + i * job->columns, most;
    if (!job->wants_loss) {
      const double sum = NAME(exponentials)(row, job->columns, &most);
      NAME(multiply_row)(row, job->columns, (REAL)(1 / sum));
      continue;
    }
    const int32_t target = job->targets[i];
    if (target < 0) {
      NAME(set)(row, 0, job->columns);
      job->sums[i] = 0;
      continue;
    }
    const REAL chosen = row[target];
    const double sum = NAME(exponentials)(row, job->columns, &most);
    job->sums[i] = log(sum) + ((double)most - (double)chosen);
    NAME(multiply_row)(row, job->columns, (REAL)((double)job->scale / sum));
    row[target] -= job->scale;
  }
  unroll_restore_float_mode(mode);
}

void NAME(softmax_cross_entropy)(REAL *logits, double *losses, const int32_t *targets,
                                 ptrdiff_t rows, ptrdiff_t classes, REAL scale) {
  NAME(array_job) job = {.values = logits, .sums = losses, .targets = targets, .rows = rows,
                         .columns = classes, .scale = scale, .wants_loss = 1};
  // Without classes there is nothing to be wrong about.
  for (ptrdiff_t row = 0; classes == 0 && row < rows; ++row) losses[row] = 0;
  if (classes > 0) unroll_parallel((rows + 7) / 8, NAME(softmax_rows), &job);
}

void NAME(softmax)(REAL *logits, ptrdiff_t rows, ptrdiff_t classes) {
  NAME(array_job) job = {.values = logits, .rows = rows, .columns = classes};
  if (classes > 0) unroll_parallel((rows + 7) / 8, NAME(softmax_rows), &job);
}

// Each block's squares are summed by lanes, the blocks in order and in double.
INLINE double NAME(squares)(const REAL *values, ptrdiff_t count) {
  double total = 0;
  for (ptrdiff_t block = 0; block < count; block += 256 * WIDTH) {
    const ptrdiff_t length = count - block < 256 * WIDTH ? count - block : 256 * WIDTH;
    VECTOR parts[4] = {0, 0, 0, 0};
    ptrdiff_t j = 0;
    for (; j + 4 * WIDTH <= length; j += 4 * WIDTH) {
      for (int i = 0; i < 4; ++i) {
        const VECTOR x = NAME(load)(values + block + j + i * WIDTH);
        parts[i] = MULTIPLY_ADD(x, x, parts[i]);
      }
    }
    for (; j < length; j += WIDTH) {
      const ptrdiff_t n = length - j < WIDTH ? length - j : WIDTH;
      const VECTOR x = NAME(load_part)(values + block + j, n);
      parts[0] = MULTIPLY_ADD(x, x, parts[0]);
    }
    total += (double)NAME(sum)((parts[0] + parts[1]) + (parts[2] + parts[3]));
  }
  return total;
}

static void NAME(squares_part)(void *context, ptrdiff_t part) {
  const NAME(array_job) *job = context;
  const ptrdiff_t begin = part * job->columns, left = job->rows - begin;
  const unroll_float_mode mode = unroll_flush_subnormals();
  job->sums[part] =
      NAME(squares)(job->values + begin, left < job->columns ? left : job->columns);
  unroll_restore_float_mode(mode);
}

// Parts are cut by the count alone, so that their sums, added in order, do not depend on threads.
double NAME(sum_of_squares)(const REAL *values, ptrdiff_t count) {
  enum { PARTS = 256 };
  double sums[PARTS], total = 0;
  ptrdiff_t length = (count + PARTS - 1) / PARTS;
  if (length < NAME(ARRAY_BLOCK)) length = NAME(ARRAY_BLOCK);
  NAME(array_job) job = {.values = (REAL *)values, .sums = sums, .rows = count, .columns = length};
  const ptrdiff_t parts = (count + length - 1) / length;
  unroll_parallel(parts, NAME(squares_part), &job);
  for (ptrdiff_t part = 0; part < parts; ++part) total += sums[part];
  return total;
}

static void NAME(move_block)(void *context, ptrdiff_t block) {
  const NAME(array_job) *job = context;
  const unroll_update *u = job->update;
  const ptrdiff_t begin = block * NAME(ARRAY_BLOCK), left = job->rows - begin;
  const ptrdiff_t count = left < NAME(ARRAY_BLOCK) ? left : NAME(ARRAY_BLOCK);
  REAL *p = job->values + begin, *first = job->first ? job->first + begin : 0;
  REAL *second = job->second ? job->second + begin : 0;
  const REAL *g = job->gradient + begin;
  const REAL rate = (REAL)u->rate, decay = (REAL)u->weight_decay, scale = (REAL)u->gradient_scale;
  const REAL epsilon = (REAL)u->epsilon, momentum = (REAL)u->momentum;
  const REAL beta1 = (REAL)u->beta1, beta2 = (REAL)u->beta2;
  const REAL kept1 = (REAL)(1 - u->beta1), kept2 = (REAL)(1 - u->beta2);
  const unroll_float_mode mode = unroll_flush_subnormals();
#define GET(array) NAME(load_part)((array) + j, n)
#define PUT(array, value) NAME(store_part)((array) + j, value, n)
  switch (u->kind) {
    case UNROLL_SGD:
      FOR_VECTORS(count, {
        const VECTOR x = GET(p);
        PUT(p, x - rate * MULTIPLY_ADD(x, NAME(splat)(decay), GET(g) * scale));
      })
      break;
    case UNROLL_MOMENTUM:
      FOR_VECTORS(count, {
        const VECTOR x = GET(p);
        const VECTOR d = MULTIPLY_ADD(x, NAME(splat)(decay), GET(g) * scale);
        const VECTOR m = MULTIPLY_ADD(GET(first), NAME(splat)(momentum), d);
        PUT(first, m);
        PUT(p, x - rate * m);
      })
      break;
    case UNROLL_RMSPROP:
      FOR_VECTORS(count, {
        const VECTOR x = GET(p);
        const VECTOR d = MULTIPLY_ADD(x, NAME(splat)(decay), GET(g) * scale);
        const VECTOR s = MULTIPLY_ADD(GET(second), NAME(splat)(beta2), d * d * kept2);
        PUT(second, s);
        PUT(p, x - rate * d / (__builtin_elementwise_sqrt(s) + epsilon));
      })
      break;
    default: {
      const double step = (double)u->step;
      const REAL correction = (REAL)(u->rate / (1 - pow(u->beta1, step)));
      const REAL root = (REAL)(1 / sqrt(1 - pow(u->beta2, step)));
      const REAL shrink = (REAL)(1 - u->rate * u->weight_decay);
      FOR_VECTORS(count, {
        const VECTOR d = GET(g) * scale;
        const VECTOR m = MULTIPLY_ADD(GET(first), NAME(splat)(beta1), d * kept1);
        const VECTOR s = MULTIPLY_ADD(GET(second), NAME(splat)(beta2), d * d * kept2);
        PUT(first, m);
        PUT(second, s);
        const VECTOR below = MULTIPLY_ADD(__builtin_elementwise_sqrt(s), NAME(splat)(root),
                                          NAME(splat)(epsilon));
        PUT(p, GET(p) * shrink - correction * m / below);
      })
    }
  }
#undef GET
#undef PUT
  unroll_restore_float_mode(mode);
}

void NAME(move_parameters)(REAL *parameters, const REAL *gradient, REAL *first, REAL *second,
                           ptrdiff_t count, const unroll_update *update) {
  NAME(array_job) job = {.values = parameters, .first = first, .second = second,
                         .gradient = gradient, .rows = count, .update = update};
  unroll_parallel((count + NAME(ARRAY_BLOCK) - 1) / NAME(ARRAY_BLOCK), NAME(move_block), &job);
}
