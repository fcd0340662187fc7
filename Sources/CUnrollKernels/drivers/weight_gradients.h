// The second phase of the backward pass: the gradients of weights and inputs, over all steps at once. Threads share the
// pieces of each gradient. Each element is one chain of multiply-adds, so that its bits do not depend on the pieces.

#ifndef UNROLL_WEIGHT_GRADIENTS_H
#define UNROLL_WEIGHT_GRADIENTS_H

#include "../products/transposed.h"
#include "sequence.h"

// A piece of a weight gradient [rows, columns]: rows top ..< bottom, columns first ..< last. Pieces with top = 0 also
// compute the bias gradient of their columns.
typedef struct {
  ptrdiff_t top, bottom, first, last;
} piece;

// Piece `part` of `parts`; none is empty.
static piece piece_of(ptrdiff_t rows, ptrdiff_t first, ptrdiff_t last, ptrdiff_t part, ptrdiff_t parts) {
  if (last - first > rows) {
    return (piece){0, rows, cut(first, last, part, parts), cut(first, last, part + 1, parts)};
  }
  const ptrdiff_t strips = (rows + TILE_ROWS - 1) / TILE_ROWS;
  const ptrdiff_t bottom = strips * (part + 1) / parts * TILE_ROWS;
  return (piece){strips * part / parts * TILE_ROWS, bottom < rows ? bottom : rows, first, last};
}

INLINE real *backward_array(const pass *p, ptrdiff_t at) { return (real *)p->sequence->scratch + at; }

// dL/d(x W) and dL/d(h U).
INLINE const real *input_product_gradients(const pass *p) {
  return backward_array(p, p->layer->is_normalized ? p->plan->backward.inputs : p->plan->backward.gates);
}
INLINE const real *state_product_gradients(const pass *p) {
  return backward_array(p, p->layer->is_normalized ? p->plan->backward.products : p->plan->backward.gates);
}

// dL/dx of the (step, sequence) pairs first ..< first + count.
static void input_gradient(const pass *p, ptrdiff_t first, ptrdiff_t count) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l);
  const real *packed = backward_array(p, p->plan->backward.packed) + layout_of_transposed_panels(l, WIDTH).input;
  packed_product((real *)p->gradients->inputs + first * l->input, l->input,
                 input_product_gradients(p) + first * width, width, packed, width, l->input, one_group(count), 0,
                 FROM_ROW);
}

// dW, and db unless it is summed elsewhere.
static void input_weight_gradient(const pass *p, piece part, real *scratch) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t d = l->input, width = gate_width(l);
  transposed_product((real *)p->gradients->weights.input + part.top * width, width,
                     all_rows((const real *)p->sequence->inputs + part.top), d, input_product_gradients(p), width,
                     l->steps * l->batch, part.bottom - part.top, part.first, part.last,
                     l->is_normalized || part.top > 0 ? 0 : p->gradients->weights.bias, 0, scratch);
}

// The states before each step: h stands at t - 1, or at t + 1 for a layer that runs backward.
static split_rows states_before(const pass *p, ptrdiff_t column) {
  const unroll_layer *l = p->layer;
  const real *initial = (const real *)p->sequence->initial_hidden + column;
  const real *states = (const real *)p->sequence->hidden + column;
  if (!l->reversed) return (split_rows){initial, l->batch, states};
  return (split_rows){states + l->batch * l->state, (l->steps - 1) * l->batch, initial};
}

// dU of the gates that enter together.
static void recurrent_weight_gradient(const pass *p, piece part, real *scratch) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l);
  transposed_product((real *)p->gradients->weights.recurrent + part.top * width, width, states_before(p, part.top),
                     l->state, state_product_gradients(p), width, l->steps * l->batch, part.bottom - part.top, part.first,
                     part.last, 0, 0, scratch);
}

// dU of a separate or late candidate. The columns of `part` count from the candidate's first.
static void candidate_weight_gradient(const pass *p, piece part, real *scratch) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l), together = together_columns(l), h = l->units;
  const split_rows before = has_late_candidate(l)
                                ? all_rows((const real *)p->sequence->trace + p->plan->trace.saved + part.top)
                                : states_before(p, part.top);
  const int is_separate = has_separate_candidate(l) && !l->is_normalized;
  const real *gradients = is_separate ? backward_array(p, p->plan->backward.separate)
                                      : state_product_gradients(p) + together;
  real *sums = 0;
  if (is_separate && l->has_second_bias && part.top == 0) sums = (real *)p->gradients->weights.second_bias + together;
  transposed_product((real *)p->gradients->weights.recurrent + part.top * width + together, width, before, l->state,
                     gradients, is_separate ? h : width, l->steps * l->batch, part.bottom - part.top, part.first,
                     part.last, sums, 0, scratch);
}

// dQ.
static void projection_gradient(const pass *p, piece part, real *scratch) {
  const unroll_layer *l = p->layer;
  const real *outputs = (const real *)p->sequence->trace + p->plan->trace.saved + part.top;
  transposed_product((real *)p->gradients->weights.projection + part.top * l->state, l->state, all_rows(outputs),
                     l->units, backward_array(p, p->plan->backward.projected), l->state, l->steps * l->batch,
                     part.bottom - part.top, part.first, part.last, 0, 0, scratch);
}

// The gradients of peepholes: i and f read c, o reads c'. `cell` holds [H].
static void peephole_gradient(const pass *p, real *cell) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t h = l->units;
  real *sums = p->gradients->weights.peepholes;
  for (ptrdiff_t position = 0; position < l->steps; ++position) {
    const step_rows s = trace_rows(p, position, 0, l->batch);
    for (ptrdiff_t i = 0; i < l->batch; ++i) {
      const real *da = backward_array(p, p->plan->backward.gates) + (s.index + i) * 4 * h;
      const real *after_cell = s.cell + i * h;
      if (l->zoneout.is_active) {
        unmixed_cell(cell, s.gates + i * 4 * h, s.previous_cell + i * h, h);
        after_cell = cell;
      }
      FOR_VECTORS(h, {
        const vector before = load_part(s.previous_cell + i * h + j, n), after = load_part(after_cell + j, n);
        const vector terms[3] = {load_part(da + j, n) * before, load_part(da + h + j, n) * before,
                                 load_part(da + 3 * h + j, n) * after};
        for (int gate = 0; gate < 3; ++gate) {
          real *to = sums + gate * h + j;
          store_part(to, load_part(to, n) + terms[gate], n);
        }
      })
    }
  }
}

// out[j] += the sum over rows of a[row, j] b[row, j], or of a alone where b is null.
static void sum_products(real *out, const real *a, ptrdiff_t lda, const real *b, ptrdiff_t ldb, ptrdiff_t rows,
                         ptrdiff_t count) {
  for (ptrdiff_t row = 0; row < rows; ++row) {
    FOR_VECTORS(count, {
      const vector x = load_part(a + row * lda + j, n), sum = load_part(out + j, n);
      store_part(out + j, b ? MULTIPLY_ADD(x, load_part(b + row * ldb + j, n), sum) : sum + x, n);
    })
  }
}

// One of GRADIENT_SUMS kinds of sums: of layers with gains or peepholes.
static void gradient_sum(const pass *p, ptrdiff_t kind, real *scratch) {
  const unroll_layer *l = p->layer;
  const unroll_plan *plan = p->plan;
  const unroll_weights *g = &p->gradients->weights;
  const ptrdiff_t h = l->units, width = gate_width(l), pairs = l->steps * l->batch, together = together_columns(l);
  if (kind == 5) {
    if (l->has_peepholes) peephole_gradient(p, scratch);
    return;
  }
  if (!l->is_normalized) return;
  const real *da = backward_array(p, plan->backward.gates), *separate = backward_array(p, plan->backward.separate);
  const real *cells = backward_array(p, plan->backward.output_cells), *trace = p->sequence->trace;
  const int is_separate = has_separate_candidate(l);
  switch (kind) {
    case 0: sum_products(g->bias, da, width, 0, 0, pairs, width); break;
    case 1: sum_products(g->input_gain, da, width, trace + plan->trace.inputs, width, pairs, width); break;
    case 2:
      sum_products(g->recurrent_gain, da, width, trace + plan->trace.products, width, pairs,
                   is_separate ? together : width);
      break;
    case 3:
      if (!is_separate) break;
      sum_products((real *)g->recurrent_gain + together, separate, h, trace + plan->trace.products + together, width,
                   pairs, h);
      if (l->has_second_bias) sum_products((real *)g->second_bias + together, separate, h, 0, 0, pairs, h);
      break;
    default:
      if (!has_cell_state(l)) break;
      sum_products(g->cell_gain, cells, h, trace + plan->trace.normal_cells, h, pairs, h);
      sum_products(g->cell_offset, cells, h, 0, 0, pairs, h);
  }
}

static void gradient_part(void *context, ptrdiff_t index, int worker) {
  const pass *p = context;
  const unroll_layer *l = p->layer;
  const unroll_plan *plan = p->plan;
  const ptrdiff_t pairs = l->steps * l->batch, together = together_columns(l), gates = gate_width(l);
  const ptrdiff_t widest = l->input > l->state ? l->input : l->state;
  const ptrdiff_t size = whole_lines(transposed_scratch(pairs, widest > l->units ? widest : l->units) + l->units);
  real *scratch = backward_array(p, plan->backward.parts) + worker * size;
  if (index < plan->pieces.recurrent) {
    recurrent_weight_gradient(p, piece_of(l->state, 0, together, index, plan->pieces.recurrent), scratch);
    return;
  }
  index -= plan->pieces.recurrent;
  if (index < plan->pieces.candidate) {
    candidate_weight_gradient(p, piece_of(l->state, 0, gates - together, index, plan->pieces.candidate), scratch);
    return;
  }
  index -= plan->pieces.candidate;
  if (index < plan->pieces.input) {
    input_weight_gradient(p, piece_of(l->input, 0, gates, index, plan->pieces.input), scratch);
    return;
  }
  index -= plan->pieces.input;
  if (index < plan->pieces.rows) {
    const ptrdiff_t first = pairs * index / plan->pieces.rows, last = pairs * (index + 1) / plan->pieces.rows;
    if (p->gradients->wants_inputs) input_gradient(p, first, last - first);
    return;
  }
  index -= plan->pieces.rows;
  if (index < plan->pieces.projection) {
    projection_gradient(p, piece_of(l->units, 0, l->state, index, plan->pieces.projection), scratch);
    return;
  }
  gradient_sum(p, index - plan->pieces.projection, scratch);
}

#endif
