// The backward pass of narrow layers (lanes.h).

#ifndef UNROLL_LANES_BACKWARD_H
#define UNROLL_LANES_BACKWARD_H

#include "lanes.h"

// sums[rows, columns] = or (`adds`) += a[t, rows] b[t, columns] over the steps, lane by lane.
INLINE void lane_tile(vector *sums, ptrdiff_t ld, const vector *a, ptrdiff_t a_step,
                            const vector *b, ptrdiff_t b_step, ptrdiff_t steps, int adds,
                            const int rows, const int columns) {
  vector parts[4][4];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) parts[i][j] = adds ? sums[i * ld + j] : splat(0);
  }
  for (ptrdiff_t t = 0; t < steps; ++t) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        parts[i][j] = MULTIPLY_ADD(a[t * a_step + i], b[t * b_step + j], parts[i][j]);
      }
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) sums[i * ld + j] = parts[i][j];
  }
}

#define LANE_TILE(ROWS, COLUMNS)                                                                 \
  lane_tile(sums + i * ld + j, ld, a + i, a_step, b + j, b_step, steps, adds, ROWS, COLUMNS)
#define LANE_TILES(COLUMNS)                \
  switch (rows - i) {                      \
    case 1: LANE_TILE(1, COLUMNS); break;  \
    case 2: LANE_TILE(2, COLUMNS); break;  \
    case 3: LANE_TILE(3, COLUMNS); break;  \
    default: LANE_TILE(4, COLUMNS);        \
  }

// The same for any number of rows and columns.
static void lane_outer_products(vector *sums, ptrdiff_t ld, const vector *a, ptrdiff_t a_step,
                               const vector *b, ptrdiff_t b_step, ptrdiff_t steps, int adds,
                               ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i += 4) {
    ptrdiff_t j = 0;
    for (; j + 4 <= columns; j += 4) LANE_TILES(4)
    for (; j < columns; ++j) LANE_TILES(1)
  }
}

// to[i] = the sum of from[i], in vector_sum's order. WIDTH of them are transposed, so that they are added
// in parallel.
static void sum_each(real *to, const vector *from, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + WIDTH <= count; i += WIDTH) {
    vector square[WIDTH];
    UNROLL_ALL
    for (int j = 0; j < WIDTH; ++j) square[j] = from[i + j];
    transpose_square(square);
    UNROLL_ALL
    for (int half = WIDTH / 2; half > 0; half /= 2) {
      for (int j = 0; j < half; ++j) square[j] += square[j + half];
    }
    store(to + i, square[0]);
  }
  for (; i < count; ++i) to[i] = vector_sum(from[i]);
}

// A block's scratch, in vectors:
// - of LANE_STEPS steps: the operands of the weights (1, x, h; for late candidates r h), and the gradients of arguments;
// - of one step: gates, saved values, c and c', gradients of states, of the output and of the inputs;
// - the sums of the weights' gradients, and the transposed weights.
typedef struct {
  vector *operands, *scaled, *gates, *separate;
  vector *gate_values, *saved, *cell, *previous_cell, *hidden, *dcell, *step, *dx, *sums;
  real *recurrent, *input;
} lane_scratch;

static lane_scratch divide_lane_scratch(const pass *p, real *scratch) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t h = l->units, width = gate_width(l), d = l->input;
  lane_scratch s = {.operands = (vector *)scratch};
  s.scaled = s.operands + LANE_STEPS * (1 + d + h);
  s.gates = s.scaled + LANE_STEPS * h;
  s.separate = s.gates + LANE_STEPS * width;
  s.gate_values = s.separate + LANE_STEPS * h;
  s.saved = s.gate_values + width;
  s.cell = s.saved;  // no cell has both
  s.previous_cell = s.cell + h;
  s.hidden = s.previous_cell + h;
  s.dcell = s.hidden + h;
  s.step = s.dcell + h;
  s.dx = s.step + h;
  s.sums = s.dx + d;
  s.recurrent = (real *)(s.sums + (1 + d + h) * width + h);
  s.input = s.recurrent + width * h;
  const real *u = p->weights->recurrent, *w = p->weights->input;
  for (ptrdiff_t j = 0; j < width; ++j) {
    for (ptrdiff_t i = 0; i < h; ++i) s.recurrent[j * h + i] = u[i * width + j];
    for (ptrdiff_t i = 0; i < d; ++i) s.input[j * d + i] = w[i * width + j];
  }
  for (ptrdiff_t slot = 0; slot < LANE_STEPS; ++slot) s.operands[slot * (1 + d + h)] = splat(1);
  return s;
}

// Adds the weights' gradients of the last `count` steps to the sums, or writes them.
static void sum_lane_gradients(const pass *p, const lane_scratch *s, ptrdiff_t count, int adds) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t h = l->units, width = gate_width(l), together = together_columns(l), input_rows = 1 + l->input;
  const ptrdiff_t operands = input_rows + h;
  const int is_late = has_late_candidate(l), is_separate = has_separate_candidate(l);
  if (!is_late && !is_separate) {
    lane_outer_products(s->sums, width, s->operands, operands, s->gates, width, count, adds, operands, width);
    return;
  }
  lane_outer_products(s->sums, width, s->operands, operands, s->gates, width, count, adds, input_rows, width);
  vector *recurrent = s->sums + input_rows * width;
  const vector *states = s->operands + input_rows;
  lane_outer_products(recurrent, width, states, operands, s->gates, width, count, adds, h, together);
  if (is_late) {
    lane_outer_products(recurrent + together, width, s->scaled, h, s->gates + together, width, count, adds, h, h);
    return;
  }
  lane_outer_products(recurrent + together, width, states, operands, s->separate, h, count, adds, h, h);
  lane_outer_products(s->sums + operands * width, h, s->operands, operands, s->separate, h, count, adds, 1, h);
}

// The arrays of the step at a position, in the trace or interleaved; `slot` is its place among the LANE_STEPS.
static unit_arrays lane_arrays(const pass *p, const lane_scratch *s, ptrdiff_t position, ptrdiff_t slot, ptrdiff_t first,
                               ptrdiff_t lanes) {
  const unroll_layer *l = p->layer;
  const unroll_sequence *q = p->sequence;
  const ptrdiff_t h = l->units, d = l->input, place = lane_place(l, position, first, lanes);
  const real *trace = q->trace, *cells = trace + p->plan->trace.cells, *saved = trace + p->plan->trace.saved + place * h;
  vector *x = s->operands + slot * (1 + d + h) + 1, *previous = x + d;
  const ptrdiff_t row = time_of(l, position) * l->batch + first, before = time_of(l, position - 1) * l->batch + first;
  interleave(x, (const real *)q->inputs + row * d, d, d, lanes);
  const real *states = position > 0 ? (const real *)q->hidden + before * h : (const real *)q->initial_hidden + first * h;
  interleave(previous, states, h, h, lanes);
  unit_arrays a = {.rows = 1, .size = h * WIDTH, .previous_hidden = (real *)previous};
  a.gates = (real *)load_lanes(s->gate_values, trace + p->plan->trace.gates + place * gate_width(l), gate_width(l), lanes);
  if (has_late_candidate(l)) {  // an operand of U's gradient, too
    for (ptrdiff_t j = 0; j < h; ++j) s->scaled[slot * h + j] = load_part(saved + j * lanes, lanes);
    a.saved = (real *)(s->scaled + slot * h);
  } else if (saves_values(l)) {
    a.saved = (real *)load_lanes(s->saved, saved, h, lanes);
  }
  if (!has_cell_state(l)) return a;
  a.cell = (real *)load_lanes(s->cell, cells + place * h, h, lanes);
  a.previous_cell = (real *)s->previous_cell;
  if (position > 0) {
    a.previous_cell = load_lanes(s->previous_cell, cells + lane_place(l, position - 1, first, lanes) * h, h, lanes);
  } else {
    interleave(s->previous_cell, (const real *)q->initial_cell + first * h, h, h, lanes);
  }
  return a;
}

// Up to WIDTH rows, from the last step to the first; their weight gradients go to `sums`.
static void backward_lanes(const pass *p, ptrdiff_t first, ptrdiff_t lanes, real *sums, real *scratch) {
  const unroll_layer *l = p->layer;
  const unroll_gradients *g = p->gradients;
  const cell_stages *stages = stages_of(p->plan);
  const ptrdiff_t h = l->units, width = gate_width(l), d = l->input, together = together_columns(l);
  const int is_late = has_late_candidate(l), is_separate = has_separate_candidate(l), has_cell = has_cell_state(l);
  const lane_scratch s = divide_lane_scratch(p, scratch);
  interleave(s.hidden, (real *)g->hidden + first * h, h, h, lanes);
  if (has_cell) interleave(s.dcell, (real *)g->cell + first * h, h, h, lanes);
  ptrdiff_t slot = 0;
  for (ptrdiff_t position = l->steps - 1; position >= 0; --position) {
    const ptrdiff_t row = time_of(l, position) * l->batch + first;
    const unit_arrays a = lane_arrays(p, &s, position, slot, first, lanes);
    vector *dgates = s.gates + slot * width, *separate = s.separate + slot * h;
    const gradient_arrays arrays = {.gates = (real *)dgates, .separate = (real *)separate, .output = (real *)s.hidden,
                                    .cell = (real *)s.dcell, .scaled = (real *)s.step};
    if (g->has_output) {
      interleave(s.step, (const real *)g->output + row * h, h, h, lanes);
      for (ptrdiff_t j = 0; j < h; ++j) s.hidden[j] += s.step[j];
    }
    stages->state_backward(&a, &arrays, l, 0);
    if (is_late) {
      lane_product(s.step, dgates + together, s.recurrent + together * h, h, h, h, 0, FROM_ROW);
      stages->gates_backward(&a, &arrays, l, 0);
    }
    if (is_separate) lane_product(s.hidden, separate, s.recurrent + together * h, h, h, h, 0, FROM_OUTPUT);
    lane_product(s.hidden, dgates, s.recurrent, h, together, h, 0, FROM_OUTPUT);
    if (g->wants_inputs) {
      lane_product(s.dx, dgates, s.input, d, width, d, 0, FROM_ROW);
      deinterleave((real *)g->inputs + row * d, s.dx, d, d, lanes);
    }
    slot += 1;
    if (slot < LANE_STEPS && position > 0) continue;
    sum_lane_gradients(p, &s, slot, position + slot < l->steps);
    slot = 0;
  }
  deinterleave((real *)g->hidden + first * h, s.hidden, h, h, lanes);
  if (has_cell) deinterleave((real *)g->cell + first * h, s.dcell, h, h, lanes);
  sum_each(sums, s.sums, (1 + d + h) * width + (is_separate ? h : 0));
}

#endif
