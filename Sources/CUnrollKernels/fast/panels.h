// A layer's sizes, where its weights stand once they are packed, and the rows of one step.

#define AT(type, base, offset) ((base) ? (type *)(base) + (offset) : (type *)0)

// Where the packed matrices of a layer stand; `second` holds the candidate's part of a GRU.
typedef struct {
  REAL *input, *recurrent, *second;
} NAME(panels);

INLINE ptrdiff_t NAME(padded)(ptrdiff_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

INLINE int NAME(gate_count)(const unroll_layer *l) {
  return l->cell == UNROLL_RNN ? 1 : l->cell == UNROLL_LSTM ? 4 : 3;
}

INLINE int NAME(is_gru)(const unroll_layer *l) {
  return l->cell == UNROLL_GRU_BEFORE || l->cell == UNROLL_GRU_AFTER;
}

// Columns of U that are multiplied with h at the start of a step.
INLINE ptrdiff_t NAME(first_columns)(const unroll_layer *l) {
  return NAME(is_gru)(l) ? 2 * l->hidden : NAME(gate_count)(l) * l->hidden;
}

static ptrdiff_t NAME(packed_count)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t forward = l->input * NAME(padded)(width) +
                            h * NAME(padded)(NAME(first_columns)(l)) +
                            (NAME(is_gru)(l) ? h * NAME(padded)(h) : 0);
  const ptrdiff_t backward = width * (NAME(padded)(l->input) + NAME(padded)(h));
  return forward > backward ? forward : backward;
}

static NAME(panels) NAME(forward_panels)(const unroll_layer *l) {
  NAME(panels) p;
  p.input = l->packed;
  p.recurrent = p.input + l->input * NAME(padded)(NAME(gate_count)(l) * l->hidden);
  p.second = p.recurrent + l->hidden * NAME(padded)(NAME(first_columns)(l));
  return p;
}

static NAME(panels) NAME(backward_panels)(const unroll_layer *l, REAL *packed) {
  NAME(panels) p;
  p.input = packed;
  p.recurrent = p.input + NAME(gate_count)(l) * l->hidden * NAME(padded)(l->input);
  p.second = p.recurrent + NAME(first_columns)(l) * NAME(padded)(l->hidden);
  return p;
}

// Columns `part` of `parts` between two columns, in whole panels from the first.
INLINE ptrdiff_t NAME(cut)(ptrdiff_t first, ptrdiff_t last, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t panels = (last - first + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
  const ptrdiff_t column = first + panels * part / parts * PANEL_COLUMNS;
  return column < last ? column : last;
}

// As many threads as there are, `most` at most and one at least.
static ptrdiff_t NAME(threads_up_to)(ptrdiff_t most) {
  const ptrdiff_t threads = unroll_thread_count();
  return most < 1 ? 1 : most < threads ? most : threads;
}

// Below this many multiply-adds a second thread costs more than it saves.
#define LEAST_WORK 60000

static ptrdiff_t NAME(threads_for)(const unroll_layer *l, ptrdiff_t most) {
  const double work = (double)l->steps * (double)l->batch * NAME(gate_count)(l) *
                      (double)l->hidden * (double)(l->input + l->hidden + 20);
  return work < LEAST_WORK ? 1 : NAME(threads_up_to)(most);
}

// The packing of a layer's matrices, which threads share by columns: forward, or, with gradients,
// backward.
typedef struct {
  const unroll_layer *layer;
  const unroll_layer_gradients *gradients;
  ptrdiff_t parts;
} NAME(packing);

// Fewer numbers are packed before another thread wakes.
#define LEAST_PACKED (1 << 15)

static void NAME(pack_part)(const NAME(packing) * job, ptrdiff_t part, REAL *packed, const REAL *b,
                            ptrdiff_t k_stride, ptrdiff_t n_stride, ptrdiff_t k, ptrdiff_t n) {
  const ptrdiff_t first = NAME(cut)(0, n, part, job->parts);
  const ptrdiff_t last = NAME(cut)(0, n, part + 1, job->parts);
  NAME(pack)(packed + first * k, b + first * n_stride, k_stride, n_stride, k, last - first);
}

static void NAME(pack_forward_part)(void *context, ptrdiff_t part) {
  const NAME(packing) *job = context;
  const unroll_layer *l = job->layer;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(panels) p = NAME(forward_panels)(l);
  const REAL *u = l->recurrent_weights;
  NAME(pack_part)(job, part, p.input, l->input_weights, width, 1, l->input, width);
  NAME(pack_part)(job, part, p.recurrent, u, width, 1, h, NAME(first_columns)(l));
  if (NAME(is_gru)(l)) NAME(pack_part)(job, part, p.second, u + 2 * h, width, 1, h, h);
}

static void NAME(pack_backward_part)(void *context, ptrdiff_t part) {
  const NAME(packing) *job = context;
  const unroll_layer *l = job->layer;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, columns = NAME(first_columns)(l);
  const NAME(panels) p = NAME(backward_panels)(l, job->gradients->packed);
  const REAL *u = l->recurrent_weights;
  if (job->gradients->inputs) {
    NAME(pack_part)(job, part, p.input, l->input_weights, 1, width, width, l->input);
  }
  NAME(pack_part)(job, part, p.recurrent, u, 1, width, columns, h);
  if (NAME(is_gru)(l)) NAME(pack_part)(job, part, p.second, u + 2 * h, 1, width, h, h);
}

static void NAME(pack_layer)(const unroll_layer *l, const unroll_layer_gradients *g) {
  NAME(packing) job = {l, g, NAME(threads_up_to)(NAME(packed_count)(l) / LEAST_PACKED)};
  unroll_parallel(job.parts, g ? NAME(pack_backward_part) : NAME(pack_forward_part), &job);
}

static void NAME(pack_forward)(const unroll_layer *l) { NAME(pack_layer)(l, 0); }

INLINE ptrdiff_t NAME(time_of)(const unroll_layer *l, ptrdiff_t position) {
  return l->reversed ? l->steps - 1 - position : position;
}

INLINE void NAME(set)(REAL *restrict to, REAL value, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) to[j] = value;
}

INLINE void NAME(move)(REAL *to, const REAL *from, ptrdiff_t count) {
  if (to != from) memmove(to, from, (size_t)count * sizeof(REAL));
}

// What one step of the rows reads and writes.
typedef struct {
  REAL *gates, *auxiliary, *hidden, *cell;
  const REAL *previous_hidden, *previous_cell;
  const uint8_t *active;
  REAL *normal_input, *normal_product, *normal_cell, *spreads;  // of layers that normalise
} NAME(step_rows);

static void NAME(add)(REAL *restrict to, const REAL *restrict from, ptrdiff_t count) {
  FOR_VECTORS(count, {
    NAME(store_part)(to + j, NAME(load_part)(to + j, n) + NAME(load_part)(from + j, n), n);
  })
}
