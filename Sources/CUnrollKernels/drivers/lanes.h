// Narrow layers in wide batches. With H < WIDTH, much of a vector of units would be empty; here a vector holds one unit of
// WIDTH sequences. Outputs, states and their gradients go through the operations of step.h in the same order: the bits are
// the same. Weight gradients are summed in another order. The trace is batch-interleaved (unroll_plan.lanes).

#ifndef UNROLL_LANES_H
#define UNROLL_LANES_H

#include "sequence.h"

// Transposes two squares of half the size, side by side in WIDTH / 2 vectors.
INLINE void transpose_half_squares(vector *squares) {
  UNROLL_ALL
  for (int step = 1; step < WIDTH / 2; step *= 2) {
    vector next[WIDTH / 2];
    UNROLL_ALL
    for (int i = 0; i < WIDTH / 4; ++i) {
      next[2 * i] = INTERLEAVE_LOW_HALVES(squares[i], squares[i + WIDTH / 4]);
      next[2 * i + 1] = INTERLEAVE_HIGH_HALVES(squares[i], squares[i + WIDTH / 4]);
    }
    for (int i = 0; i < WIDTH / 2; ++i) squares[i] = next[i];
  }
}

// to[j] = number j of each of `lanes` rows, for j < count <= WIDTH.
INLINE void interleave_lanes(vector *to, const real *rows, ptrdiff_t ld, ptrdiff_t count,
                               ptrdiff_t lanes) {
  vector square[WIDTH];
  UNROLL_ALL
  for (int lane = 0; lane < WIDTH; ++lane) {
    square[lane] = lane < lanes ? load_part(rows + lane * ld, count) : splat(0);
  }
  if (count <= WIDTH / 2) {
    UNROLL_ALL
    for (int i = 0; i < WIDTH / 2; ++i) {
      square[i] = LOW_HALVES(square[i], square[i + WIDTH / 2]);
    }
    transpose_half_squares(square);
    UNROLL_ALL
    for (int j = 0; j < WIDTH / 2; ++j) {
      if (j < count) to[j] = square[j];
    }
    return;
  }
  transpose_square(square);
  UNROLL_ALL
  for (int j = 0; j < WIDTH; ++j) {
    if (j < count) to[j] = square[j];
  }
}

// The reverse.
INLINE void deinterleave_lanes(real *rows, const vector *from, ptrdiff_t ld, ptrdiff_t count,
                                ptrdiff_t lanes) {
  vector square[WIDTH];
  if (count <= WIDTH / 2) {
    UNROLL_ALL
    for (int j = 0; j < WIDTH / 2; ++j) square[j] = j < count ? from[j] : splat(0);
    transpose_half_squares(square);
    UNROLL_ALL
    for (int i = 0; i < WIDTH / 2; ++i) {
      if (i < lanes) store_part(rows + i * ld, square[i], count);
      if (i + WIDTH / 2 < lanes) {
        store_part(rows + (i + WIDTH / 2) * ld, HIGH_HALF(square[i]), count);
      }
    }
    return;
  }
  UNROLL_ALL
  for (int j = 0; j < WIDTH; ++j) square[j] = j < count ? from[j] : splat(0);
  transpose_square(square);
  UNROLL_ALL
  for (int lane = 0; lane < WIDTH; ++lane) {
    if (lane < lanes) store_part(rows + lane * ld, square[lane], count);
  }
}

// Any number of columns. Full blocks have calls of their own, since constant counts leave no branch.
static void interleave(vector *to, const real *rows, ptrdiff_t ld, ptrdiff_t columns,
                         ptrdiff_t lanes) {
  for (ptrdiff_t j = 0; j < columns; j += WIDTH) {
    const ptrdiff_t count = columns - j < WIDTH ? columns - j : WIDTH;
    if (lanes < WIDTH) {
      interleave_lanes(to + j, rows + j, ld, count, lanes);
    } else if (count == WIDTH / 2) {
      interleave_lanes(to + j, rows + j, ld, WIDTH / 2, WIDTH);
    } else {
      interleave_lanes(to + j, rows + j, ld, count, WIDTH);
    }
  }
}

static void deinterleave(real *rows, const vector *from, ptrdiff_t ld, ptrdiff_t columns,
                          ptrdiff_t lanes) {
  for (ptrdiff_t j = 0; j < columns; j += WIDTH) {
    const ptrdiff_t count = columns - j < WIDTH ? columns - j : WIDTH;
    if (lanes < WIDTH) {
      deinterleave_lanes(rows + j, from + j, ld, count, lanes);
    } else if (count == WIDTH / 2) {
      deinterleave_lanes(rows + j, from + j, ld, WIDTH / 2, WIDTH);
    } else {
      deinterleave_lanes(rows + j, from + j, ld, count, WIDTH);
    }
  }
}

enum { LANE_COLUMNS = 8 };

// out[columns] = start + a w, lane by lane; w[k, columns] of single numbers. The sum starts from
// the numbers of `start`, from 0 if it is null, or from what stands in `out`.
INLINE void lane_sums_tile(vector *out, const vector *a, const real *w, ptrdiff_t ldw,
                              ptrdiff_t k, const real *start, int from, const int columns) {
  vector sums[LANE_COLUMNS];
  for (int j = 0; j < columns; ++j) {
    sums[j] = from == FROM_OUTPUT ? out[j] : splat(start ? start[j] : 0);
  }
  for (ptrdiff_t p = 0; p < k; ++p) {
    for (int j = 0; j < columns; ++j) {
      sums[j] = MULTIPLY_ADD(splat(w[p * ldw + j]), a[p], sums[j]);
    }
  }
  for (int j = 0; j < columns; ++j) out[j] = sums[j];
}

#define REST(COLUMNS)                                                                    \
  case COLUMNS:                                                                                 \
    lane_sums_tile(out + j, a, w + j, ldw, k, start ? start + j : start, from, COLUMNS);     \
    break;

static void lane_product(vector *out, const vector *a, const real *w, ptrdiff_t ldw,
                                 ptrdiff_t k, ptrdiff_t n, const real *start, int from) {
  ptrdiff_t j = 0;
  for (; j + 8 <= n; j += 8) {
    lane_sums_tile(out + j, a, w + j, ldw, k, start ? start + j : start, from, 8);
  }
  // The remaining columns form one tile: parallel chains of multiply-adds take no longer than one chain.
  switch (n - j) {
    REST(1)
    REST(2)
    REST(3)
    REST(4)
    REST(5)
    REST(6)
    REST(7)
  }
}

// A step of a block in the trace: its offset, to be multiplied by the numbers of a row.
INLINE ptrdiff_t lane_place(const unroll_layer *l, ptrdiff_t position, ptrdiff_t first, ptrdiff_t lanes) {
  return first * l->steps + time_of(l, position) * lanes;
}

INLINE void store_lanes(real *trace, const vector *from, ptrdiff_t count, ptrdiff_t lanes) {
  for (ptrdiff_t j = 0; j < count; ++j) store_part(trace + j * lanes, from[j], lanes);
}

// A step of a block: in the trace itself if the block is full, else copied to whole vectors in `copies`.
INLINE const real *load_lanes(vector *copies, const real *trace, ptrdiff_t count, ptrdiff_t lanes) {
  if (lanes == WIDTH) return trace;
  for (ptrdiff_t j = 0; j < count; ++j) copies[j] = load_part(trace + j * lanes, lanes);
  return (const real *)copies;
}

// Up to WIDTH rows, from the first step to the last.
static void forward_lanes(const pass *p, ptrdiff_t first, ptrdiff_t lanes, real *scratch) {
  const unroll_layer *l = p->layer;
  const unroll_sequence *q = p->sequence;
  const unroll_plan *plan = p->plan;
  const cell_stages *stages = stages_of(p->plan);
  const int is_late = has_late_candidate(l), is_separate = has_separate_candidate(l), has_cell = has_cell_state(l);
  const ptrdiff_t h = l->units, width = gate_width(l), d = l->input, together = together_columns(l);
  const real *w = p->weights->input, *u = p->weights->recurrent, *bias = p->packed;
  const real *candidate_bias = p->packed + layout_of_panels(l, WIDTH).candidate_bias;
  vector *x = (vector *)scratch, *gates = x + d, *state = gates + width, *cell = state + h, *saved = cell + h;
  const unit_arrays a = {.rows = 1, .size = h * WIDTH, .gates = (real *)gates, .saved = (real *)saved,
                         .output = (real *)state, .cell = (real *)cell, .previous_hidden = (real *)state,
                         .previous_cell = (real *)cell, .keeps_gates = p->keeps_trace};
  interleave(state, (const real *)q->initial_hidden + first * h, h, h, lanes);
  if (has_cell) interleave(cell, (const real *)q->initial_cell + first * h, h, h, lanes);
  for (ptrdiff_t position = 0; position < l->steps; ++position) {
    const ptrdiff_t row = time_of(l, position) * l->batch + first;
    interleave(x, (const real *)q->inputs + row * d, d, d, lanes);
    lane_product(gates, x, w, width, d, width, bias, FROM_ROW);
    lane_product(gates, state, u, width, h, together, 0, FROM_OUTPUT);
    if (is_separate) lane_product(saved, state, u + together, width, h, h, candidate_bias, FROM_ROW);
    stages->gates(&a, l, 0);
    if (is_late) lane_product(gates + together, saved, u + together, width, h, h, 0, FROM_OUTPUT);
    stages->state(&a, l, 0);
    deinterleave((real *)q->hidden + row * h, state, h, h, lanes);
    if (!p->keeps_trace) continue;
    const ptrdiff_t place = lane_place(l, position, first, lanes);
    store_lanes((real *)q->trace + plan->trace.gates + place * width, gates, width, lanes);
    if (saves_values(l)) store_lanes((real *)q->trace + plan->trace.saved + place * h, saved, h, lanes);
    if (has_cell) store_lanes((real *)q->trace + plan->trace.cells + place * h, cell, h, lanes);
  }
  if (has_cell) deinterleave((real *)q->final_cell + first * h, cell, h, h, lanes);
}

#endif
