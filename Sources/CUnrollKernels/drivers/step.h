// One step, forward and backward, as a sequence of stages. A stage works on rows (the cell's arithmetic) or on columns
// (products). One thread runs whole stages; on UNROLL_PATH_COLUMNS each thread runs its part of a stage, and waits for
// the others before the next stage.

#ifndef UNROLL_STEP_H
#define UNROLL_STEP_H

#include "../products/bf16.h"
#include "../products/product.h"
#include "normalization.h"
#include "stages.h"
#include "streamed.h"
#include "zoneout.h"

// The stages, in the order of a step. Some run together, where no thread has to wait between them.
enum {
  INPUT_PRODUCT = 1,      ///< x W of some steps
  STATE_PRODUCT = 2,      ///< h U, without a late candidate's columns
  GATES = 4,              ///< all gates but the last
  LATE_PRODUCT = 8,       ///< (r h) U of a late candidate
  STATE = 16,             ///< the last gate and the state
  PROJECTION = 32,        ///< h' = m Q
  LOSS_GRADIENT = 64,     ///< the gradient of this step's output is added
  PROJECTION_BACKWARD = 128,
  STATE_BACKWARD = 256,
  LATE_BACKWARD = 512,    ///< the gradient of r h, of a late candidate
  GATES_BACKWARD = 1024,
  STATE_PRODUCT_BACKWARD = 2048,
};

typedef struct {
  const pass *p;
  step_rows rows;
  step_gradients gradients;
  int stages;
  int parts;           ///< threads that share a stage
  int reads_backward;  ///< of streamed weights
  const real *inputs;  ///< x of INPUT_PRODUCT
  row_groups groups;   ///< its rows
  const uncached_lines *next;  ///< what the next step backward reads, to be prefetched; or null
} step;

// Columns `part` of `parts` between two columns, in whole panels from the first.
INLINE ptrdiff_t cut(ptrdiff_t first, ptrdiff_t last, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t panels = (last - first + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
  const ptrdiff_t column = first + panels * part / parts * PANEL_COLUMNS;
  return column < last ? column : last;
}

// A part's columns of out = start + a b.
static void product_part(const step *s, int part, real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                         ptrdiff_t panels, ptrdiff_t k, ptrdiff_t n, row_groups groups, const real *start, int from,
                         const real *packed) {
  const ptrdiff_t first = cut(0, n, part, s->parts), last = cut(0, n, part + 1, s->parts);
  packed_product_prefetching(out + first, ldout, a, lda, packed + panels + first * k, k, last - first, groups,
                             start ? start + first : start, from, s->next);
}

static void forward_product(const step *s, int part, real *out, ptrdiff_t ldout, const real *a, ptrdiff_t lda,
                            ptrdiff_t panels, ptrdiff_t k, ptrdiff_t n, const real *start, int from) {
  product_part(s, part, out, ldout, a, lda, panels, k, n, one_group(s->rows.rows), start, from, s->p->packed);
}

#if REAL_BITS == 32
static void bf16_step_products(const step *s, int stage) {
  const pass *p = s->p;
  const unroll_layer *l = p->layer;
  const step_rows *r = &s->rows;
  const bf16_layout at = layout_of_bf16(l, WIDTH);
  const uint32_t *packed = (const uint32_t *)p->packed;
  const ptrdiff_t width = gate_width(l), together = together_columns(l), d = l->input, h = l->units, rows = r->rows;
  const int kind = p->plan->bf16;
  if (stage == INPUT_PRODUCT) {
    bf16_product(r->gates, width, s->inputs, d, packed + at.input, d, together, rows, p->packed, FROM_ROW, kind);
    bf16_product(r->gates + together, width, s->inputs, d, packed + at.input_candidate, d, width - together, rows,
                 p->packed + together, FROM_ROW, kind);
  } else if (stage == STATE_PRODUCT) {
    bf16_product(r->gates, width, r->previous_hidden, l->state, packed + at.recurrent, l->state, together, rows, 0,
                 FROM_OUTPUT, kind);
    if (!has_separate_candidate(l)) return;
    bf16_product(r->saved, h, r->previous_hidden, h, packed + at.candidate, h, h, rows, p->packed + at.candidate_bias,
                 FROM_ROW, kind);
  } else {
    bf16_product(r->gates + together, width, r->saved, h, packed + at.candidate, h, h, rows, 0, FROM_OUTPUT, kind);
  }
}
#endif

// A part of a forward product.
static void take_product(const step *s, int stage, int part) {
  const pass *p = s->p;
  const unroll_layer *l = p->layer;
  const step_rows *r = &s->rows;
  const ptrdiff_t width = gate_width(l), together = together_columns(l), d = l->input, h = l->units;
  const int normalizes = l->is_normalized;
#if REAL_BITS == 32
  if (p->plan->bf16 && p->plan->path == UNROLL_PATH_ROWS && stage != PROJECTION) {
    bf16_step_products(s, stage);
    return;
  }
#endif
  const int is_streamed = p->plan->path == UNROLL_PATH_STREAMED;
  if (is_streamed && stage == STATE_PRODUCT) {  // in a stream, x W is taken with it
    streamed_products(p, r, p->plan->mode == UNROLL_STREAM ? s->inputs : 0, s->reads_backward);
    return;
  }
  if (is_streamed && stage == LATE_PRODUCT) {
    late_streamed_products(p, r, s->reads_backward);
    return;
  }
  const packed_layout at = layout_of_panels(l, WIDTH);
  if (stage == INPUT_PRODUCT) {
    const ptrdiff_t panels = at.input + (is_streamed ? p->plan->streamed.panels : 0);
    product_part(s, part, r->gates, width, s->inputs, d, panels, d, width, s->groups, normalizes ? 0 : p->packed,
                 FROM_ROW, p->packed);
  } else if (stage == STATE_PRODUCT) {
    const int from = normalizes ? FROM_ROW : FROM_OUTPUT;
    forward_product(s, part, normalizes ? r->product_values : r->gates, width, r->previous_hidden, l->state,
                    at.recurrent, l->state, together, 0, from);
    if (!has_separate_candidate(l)) return;
    forward_product(s, part, normalizes ? r->product_values + together : r->saved, normalizes ? width : h,
                    r->previous_hidden, l->state, at.candidate, l->state, h,
                    normalizes ? 0 : p->packed + at.candidate_bias, FROM_ROW);
  } else if (stage == LATE_PRODUCT) {
    forward_product(s, part, (normalizes ? r->product_values : r->gates) + together, width, r->saved, h, at.candidate,
                    h, h, 0, normalizes ? FROM_ROW : FROM_OUTPUT);
  } else {
    const ptrdiff_t panels = is_streamed        ? p->plan->streamed.projection
                             : p->plan->bf16 ? layout_of_bf16(l, WIDTH).projection
                                             : at.projection;
    forward_product(s, part, r->hidden, l->state, r->output, h, panels, h, l->state, 0, FROM_ROW);
  }
}

// A part of a product backward, with the transposed weights.
static void take_product_backward(const step *s, int stage, int part) {
  const pass *p = s->p;
  const unroll_layer *l = p->layer;
  const step_gradients *d = &s->gradients;
  const ptrdiff_t width = gate_width(l), together = together_columns(l), h = l->units, state = l->state;
  const packed_layout at = layout_of_transposed_panels(l, WIDTH);
  const row_groups rows = one_group(s->rows.rows);
  const real *through = l->is_normalized ? d->products : d->gates;
  if (stage == PROJECTION_BACKWARD) {
    product_part(s, part, d->output, h, d->projected, state, at.projection, state, h, rows, 0, FROM_ROW, p->packed);
    return;
  }
  if (stage == LATE_BACKWARD) {
    product_part(s, part, d->scaled, state, through + together, width, at.candidate, h, state, rows, 0, FROM_ROW,
                 p->packed);
    return;
  }
  if (has_separate_candidate(l)) {
    const real *from = l->is_normalized ? through + together : d->separate;
    step other = *s;
    other.next = 0;
    product_part(&other, part, d->hidden, state, from, l->is_normalized ? width : h, at.candidate, h, state, rows, 0,
                 FROM_OUTPUT, p->packed);
  }
  product_part(s, part, d->hidden, state, through, width, at.recurrent, together, state, rows, 0, FROM_OUTPUT,
               p->packed);
}

// The arrays of `rows` rows from `row` on.
INLINE unit_arrays row_arrays(const unroll_layer *l, const step_rows *r, ptrdiff_t row, ptrdiff_t rows, int keeps_gates) {
  const ptrdiff_t at = row * l->units;
  return (unit_arrays){.rows = rows,
                       .size = l->units,
                       .state = l->state,
                       .gates = r->gates + row * gate_width(l),
                       .saved = AT(real, r->saved, at),
                       .output = r->output + at,
                       .cell = AT(real, r->cell, at),
                       .previous_hidden = r->previous_hidden + row * l->state,
                       .previous_cell = AT(const real, r->previous_cell, at),
                       .output_cell = AT(const real, r->output_cell, at),
                       .keeps_gates = keeps_gates};
}

// An inactive row leaves no values; its states are carried.
static void carry_row(const unroll_layer *l, const step_rows *r, ptrdiff_t row, int stages) {
  const ptrdiff_t at = row * l->units;
  if (r->saved && (stages & (GATES | STATE))) fill(r->saved + at, 0, l->units);
  if (!(stages & STATE)) return;
  fill(r->gates + row * gate_width(l), 0, gate_width(l));
  copy(r->hidden + row * l->state, r->previous_hidden + row * l->state, l->state);
  if (has_cell_state(l)) copy(r->cell + at, r->previous_cell + at, l->units);
}

// The cell's arithmetic of some rows, a few at a time, so that they stay in L1 between the two stages.
static void take_rows(const step *s, int stages, ptrdiff_t first, ptrdiff_t last) {
  enum { CACHED_UNITS = 512 };
  const unroll_layer *l = s->p->layer;
  const step_rows *r = &s->rows;
  const cell_stages *cell = stages_of(s->p->plan);
  const int keeps = s->p->keeps_trace;
  const real *peepholes = s->p->weights->peepholes;
  const ptrdiff_t many = l->units < CACHED_UNITS ? CACHED_UNITS / (l->units > 0 ? l->units : 1) : 1;
  const ptrdiff_t most = r->active ? 1 : many;
  for (ptrdiff_t row = first, end; row < last; row = end) {
    end = last - row < most ? last : row + most;
    if (!is_active(r, row)) {
      carry_row(l, r, row, stages);
      continue;
    }
    const unit_arrays a = row_arrays(l, r, row, end - row, keeps);
    if (stages & GATES) cell->gates(&a, l, peepholes);
    if (stages & STATE) cell->state(&a, l, peepholes);
  }
}

// Adds this step's output gradient to dL/dh'; where the output is projected, moves the sum to `projected`.
static void add_loss_gradient(const step *s, ptrdiff_t first, ptrdiff_t last) {
  const unroll_layer *l = s->p->layer;
  const step_gradients *d = &s->gradients;
  const ptrdiff_t state = l->state;
  for (ptrdiff_t row = first; row < last; ++row) {
    if (!is_active(&s->rows, row)) continue;
    if (d->loss) add_to(d->hidden + row * state, d->loss + row * state, state);
  }
}

static void move_to_projected(const step *s, ptrdiff_t first, ptrdiff_t last) {
  const ptrdiff_t state = s->p->layer->state;
  const step_gradients *d = &s->gradients;
  for (ptrdiff_t row = first; row < last; ++row) {
    if (!is_active(&s->rows, row)) {
      fill(d->projected + row * state, 0, state);
      continue;
    }
    copy(d->projected + row * state, d->hidden + row * state, state);
    fill(d->hidden + row * state, 0, state);
  }
}

// The gradients of an inactive row are zero, but for its states', which are carried.
static void clear_gradients(const unroll_layer *l, const step_gradients *d, ptrdiff_t row) {
  fill(d->gates + row * gate_width(l), 0, gate_width(l));
  if (d->separate) fill(d->separate + row * l->units, 0, l->units);
  if (d->output_cell) fill(d->output_cell + row * l->units, 0, l->units);
}

static void take_rows_backward(const step *s, int stages, ptrdiff_t first, ptrdiff_t last) {
  const unroll_layer *l = s->p->layer;
  const step_rows *r = &s->rows;
  const step_gradients *d = &s->gradients;
  const cell_stages *cell = stages_of(s->p->plan);
  const real *peepholes = s->p->weights->peepholes;
  const ptrdiff_t h = l->units;
  const int is_mixed = l->zoneout.is_active && has_cell_state(l);
  const ptrdiff_t most = r->active || is_mixed ? 1 : last - first;
  for (ptrdiff_t row = first, end; row < last; row = end) {
    end = last - row < most ? last : row + most;
    if (!is_active(r, row)) {
      if (stages & STATE_BACKWARD) clear_gradients(l, d, row);
      continue;
    }
    unit_arrays a = row_arrays(l, r, row, end - row, 0);
    if (is_mixed) {
      a.cell = d->row + whole_lines(h);
      unmixed_cell(a.cell, a.gates, a.previous_cell, h);
    }
    const gradient_arrays g = {.gates = d->gates + row * gate_width(l),
                               .separate = AT(real, d->separate, row * h),
                               .output = d->output + row * h,
                               .cell = AT(real, d->cell, row * h),
                               .output_cell = AT(real, d->output_cell, row * h),
                               .scaled = d->scaled + row * h};
    if (stages & STATE_BACKWARD) cell->state_backward(&a, &g, l, peepholes);
    if (stages & GATES_BACKWARD) cell->gates_backward(&a, &g, l, peepholes);
  }
}

// A part of some stages, which are a constant where one thread takes all of a step.
INLINE void take_part(const step *s, const int stages, ptrdiff_t part, ptrdiff_t parts) {
  const int products = INPUT_PRODUCT | STATE_PRODUCT | LATE_PRODUCT | PROJECTION;
  const int products_backward = PROJECTION_BACKWARD | LATE_BACKWARD | STATE_PRODUCT_BACKWARD;
  const ptrdiff_t rows = s->rows.rows, first = rows * part / parts, last = rows * (part + 1) / parts;
  if (stages & products) take_product(s, stages, (int)part);
  if (stages & products_backward) take_product_backward(s, stages, (int)part);
  if (stages & (GATES | STATE)) take_rows(s, stages, first, last);
  if (stages & LOSS_GRADIENT) {
    add_loss_gradient(s, first, last);
    if (s->p->layer->has_projection && !s->p->layer->zoneout.is_active) move_to_projected(s, first, last);
  }
  if (stages & (STATE_BACKWARD | GATES_BACKWARD)) take_rows_backward(s, stages, first, last);
}

static void take_shared_part(void *context, ptrdiff_t part, int worker) {
  (void)worker;
  const step *s = context;
  take_part(s, s->stages, part, s->parts);
}

// Runs stages between which no thread has to wait: one product, or stages of rows.
INLINE void take(step *s, const int stages) {
  if (s->parts == 1) {
    take_part(s, stages, 0, 1);
    return;
  }
  s->stages = stages;
  unroll_parallel(s->parts, s->parts, take_shared_part, s);
}

static void step_forward(step *s) {
  const pass *p = s->p;
  const unroll_layer *l = p->layer;
  if (l->is_normalized) normalize_inputs(p, &s->rows);
  take(s, STATE_PRODUCT);
  if (l->is_normalized) {
    normalize_product(p, &s->rows, 0, 0);
    if (has_separate_candidate(l)) {
      normalize_product(p, &s->rows, 1, p->packed + layout_of_panels(l, WIDTH).candidate_bias);
    }
  }
  if (has_late_candidate(l)) {
    take(s, GATES);
    take(s, LATE_PRODUCT);
    if (l->is_normalized) normalize_product(p, &s->rows, 1, 0);
    take(s, STATE);
  } else if (normalizes_cell(l)) {
    take(s, GATES);
    normalize_cells(p, &s->rows);
    take(s, STATE);
  } else {
    take(s, GATES | STATE);
  }
  if (l->has_projection) {
    take(s, PROJECTION);
    for (ptrdiff_t row = 0; s->rows.active && row < s->rows.rows; ++row) {
      if (!s->rows.active[row]) carry_row(l, &s->rows, row, STATE);
    }
  }
  if (l->zoneout.is_active) apply_zoneout(p, &s->rows);
}

static void step_backward(step *s) {
  const pass *p = s->p;
  const unroll_layer *l = p->layer;
  const step_gradients *d = &s->gradients;
  const int projects = l->has_projection, has_zoneout = l->zoneout.is_active;
  const uncached_lines *next = s->next;
  s->next = 0;
  if (projects || has_zoneout) {
    take(s, LOSS_GRADIENT);
    if (has_zoneout) zoneout_backward(p, &s->rows, d);
    if (has_zoneout && projects) move_to_projected(s, 0, s->rows.rows);
    if (projects) take(s, PROJECTION_BACKWARD);
  }
  if (normalizes_cell(l)) repeat_output_cells(p, &s->rows);
  if (projects || has_zoneout) {
    take(s, STATE_BACKWARD);
  } else {
    take(s, LOSS_GRADIENT | STATE_BACKWARD);
  }
  if (l->is_normalized && group_count(l) == 2) normalize_products_backward(p, &s->rows, d, 1, 0);
  if (has_late_candidate(l)) {
    take(s, LATE_BACKWARD);
    take(s, GATES_BACKWARD);
  } else if (normalizes_cell(l)) {
    normalize_cells_backward(p, &s->rows, d);
    take(s, GATES_BACKWARD);
  }
  if (l->is_normalized) {
    normalize_products_backward(p, &s->rows, d, 0, 0);
    for (int group = 0; group < group_count(l); ++group) normalize_products_backward(p, &s->rows, d, group, 1);
  }
  s->next = next;
  take(s, STATE_PRODUCT_BACKWARD);
  if (!has_zoneout) return;
  add_to(d->hidden, d->carried_hidden, s->rows.rows * l->state);
  if (has_cell_state(l)) add_to(d->cell, d->carried_cell, s->rows.rows * l->units);
}

#endif
