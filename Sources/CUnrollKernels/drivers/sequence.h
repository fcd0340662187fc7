// A layer over a whole sequence, for a range of the batch's rows; vectors hold units. Only these rows are read and
// written, so that threads with different rows never wait for each other.

#ifndef UNROLL_SEQUENCE_H
#define UNROLL_SEQUENCE_H

#include "step.h"

// The arrays of one step in the trace, for `rows` rows from `first` on.
static step_rows trace_rows(const pass *p, ptrdiff_t position, ptrdiff_t first, ptrdiff_t rows) {
  const unroll_layer *l = p->layer;
  const unroll_sequence *q = p->sequence;
  const unroll_plan *plan = p->plan;
  const ptrdiff_t h = l->units, state = l->state, width = gate_width(l);
  const ptrdiff_t row = time_of(l, position) * l->batch + first, before = time_of(l, position - 1) * l->batch + first;
  const int has_cell = has_cell_state(l);
  real *trace = q->trace, *hidden = q->hidden;
  step_rows s = {.rows = rows, .index = row};
  s.gates = trace + plan->trace.gates + row * width;
  if (saves_values(l)) s.saved = trace + plan->trace.saved + row * h;
  s.hidden = hidden + row * state;
  s.output = l->has_projection ? s.saved : s.hidden;
  if (has_cell) s.cell = trace + plan->trace.cells + row * h;
  s.previous_hidden = position > 0 ? hidden + before * state : (const real *)q->initial_hidden + first * state;
  if (has_cell) {
    s.previous_cell = position > 0 ? trace + plan->trace.cells + before * h : (const real *)q->initial_cell + first * h;
  }
  if (l->is_masked) s.active = q->active + row;
  if (!l->is_normalized) return s;
  s.input_values = trace + plan->trace.inputs + row * width;
  s.product_values = trace + plan->trace.products + row * width;
  s.scales = trace + plan->trace.scales + row * SCALES;
  if (has_cell) s.normal_cell = trace + plan->trace.normal_cells + row * h;
  return s;
}

// The arrays of a step of a pass without a trace.
typedef struct {
  real *gates, *saved, *cells[2], *product_values, *normal_cell, *output_cell;
} forward_scratch;

static forward_scratch divide_forward_scratch(const pass *p, ptrdiff_t rows, real *scratch) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t h = l->units, width = gate_width(l);
  forward_scratch f = {.gates = 0};
  if (normalizes_cell(l)) f.output_cell = take_scratch(&scratch, rows * h);
  if (p->keeps_trace) return f;
  f.gates = take_scratch(&scratch, rows * p->plan->chunk * width);
  f.saved = take_scratch(&scratch, rows * h);
  f.cells[0] = take_scratch(&scratch, rows * h);
  f.cells[1] = take_scratch(&scratch, rows * h);
  if (l->is_normalized) f.product_values = take_scratch(&scratch, rows * width);
  if (normalizes_cell(l)) f.normal_cell = take_scratch(&scratch, rows * h);
  return f;
}

// Changes `s` from the arrays of one step to those of the next one, in a pass without a trace.
static void next_rows(const pass *p, const forward_scratch *f, ptrdiff_t position, ptrdiff_t row, step_rows *s) {
  const unroll_layer *l = p->layer;
  s->previous_hidden = s->hidden;
  s->previous_cell = s->cell;
  s->hidden = (real *)p->sequence->hidden + row * l->state;
  s->saved = f->saved;
  s->output = l->has_projection ? s->saved : s->hidden;
  if (has_cell_state(l)) s->cell = f->cells[position % 2];
  s->active = l->is_masked ? p->sequence->active + row : 0;
  s->product_values = f->product_values;
  s->normal_cell = f->normal_cell;
  s->index = row;
}

// The rows first ..< first + rows, from the first step to the last; `parts` threads share each step, if more than one.
static void forward_rows(const pass *p, ptrdiff_t first, ptrdiff_t rows, int parts, real *scratch) {
  const unroll_layer *l = p->layer;
  const unroll_sequence *q = p->sequence;
  const ptrdiff_t width = gate_width(l), batch = l->batch, chunk = p->plan->chunk, direction = l->reversed ? -1 : 1;
  const forward_scratch f = divide_forward_scratch(p, rows, scratch);
  step s = {.p = p, .parts = parts};
  s.rows.hidden = (real *)q->initial_hidden + first * l->state;
  if (has_cell_state(l)) s.rows.cell = (real *)q->initial_cell + first * l->units;
  for (ptrdiff_t start = 0; start < l->steps; start += chunk) {
    const ptrdiff_t count = l->steps - start < chunk ? l->steps - start : chunk;
    const ptrdiff_t row = time_of(l, start) * batch + first;
    const ptrdiff_t gate_step = p->keeps_trace ? direction * batch * width : rows * width;
    real *gates = p->keeps_trace ? (real *)q->trace + p->plan->trace.gates + row * width : f.gates;
    s.inputs = (const real *)q->inputs + row * l->input;
    // A whole batch that is read forward is one long group of rows.
    s.groups = rows == batch && !l->reversed
                   ? one_group(rows * count)
                   : (row_groups){count, rows, gate_step, direction * batch * l->input};
    s.rows.gates = gates;
    take(&s, INPUT_PRODUCT);
    for (ptrdiff_t position = start; position < start + count; ++position) {
      if (p->keeps_trace) {
        s.rows = trace_rows(p, position, first, rows);
      } else {
        next_rows(p, &f, position, time_of(l, position) * batch + first, &s.rows);
        s.rows.gates = gates + (position - start) * gate_step;
        s.rows.rows = rows;
      }
      s.rows.output_cell = f.output_cell;
      step_forward(&s);
      s.reads_backward = !s.reads_backward;
    }
  }
  if (has_cell_state(l)) copy((real *)q->final_cell + first * l->units, s.rows.cell, rows * l->units);
}

// The largest arrays that a step backward reads; they are not cached when it begins.
static void uncached_of_step(const pass *p, ptrdiff_t position, ptrdiff_t first, ptrdiff_t rows,
                             uncached_lines uncached[UNCACHED_PARTS]) {
  const unroll_layer *l = p->layer;
  const step_rows s = trace_rows(p, position, first, rows);
  const real *scratch = (const real *)p->sequence->scratch + p->plan->backward.gates;
  const ptrdiff_t width = gate_width(l), row = time_of(l, position) * l->batch + first;
  const real *state = has_cell_state(l) ? s.cell : s.saved;
  uncached[0] = (uncached_lines){s.gates, rows * width / LINE};
  uncached[1] = (uncached_lines){scratch + row * width, rows * width / LINE};
  uncached[2] = (uncached_lines){state, state ? rows * l->units / LINE : 0};
}

// The gradients' arrays of a step.
static step_gradients gradient_rows(const pass *p, ptrdiff_t position, ptrdiff_t first) {
  const unroll_layer *l = p->layer;
  const unroll_gradients *g = p->gradients;
  const unroll_plan *plan = p->plan;
  const ptrdiff_t row = time_of(l, position) * l->batch + first, width = gate_width(l), h = l->units;
  real *scratch = p->sequence->scratch;
  step_gradients d = {.gates = scratch + plan->backward.gates + row * width};
  if (has_separate_candidate(l)) d.separate = scratch + plan->backward.separate + row * h;
  if (l->has_projection) d.projected = scratch + plan->backward.projected + row * l->state;
  d.hidden = (real *)g->hidden + first * l->state;
  if (has_cell_state(l)) d.cell = (real *)g->cell + first * h;
  if (g->has_output) d.loss = (const real *)g->output + row * l->state;
  if (!l->is_normalized) return d;
  d.inputs = scratch + plan->backward.inputs + row * width;
  d.products = scratch + plan->backward.products + row * width;
  if (normalizes_cell(l)) d.output_cell = scratch + plan->backward.output_cells + row * h;
  return d;
}

static void backward_rows(const pass *p, ptrdiff_t first, ptrdiff_t rows, int parts, real *scratch) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t h = l->units;
  real *output = take_scratch(&scratch, rows * h), *scaled = take_scratch(&scratch, rows * h);
  real *row = take_scratch(&scratch, 4 * whole_lines(h)), *carried_hidden = 0, *carried_cell = 0;
  if (l->zoneout.is_active) {
    carried_hidden = take_scratch(&scratch, rows * l->state);
    carried_cell = take_scratch(&scratch, rows * h);
  }
  for (ptrdiff_t position = l->steps - 1; position >= 0; --position) {
    step s = {.p = p, .parts = parts, .rows = trace_rows(p, position, first, rows),
              .gradients = gradient_rows(p, position, first)};
    s.rows.output_cell = scaled;  // where c' is normalised; no cell that has one has a late candidate
    s.gradients.output = l->has_projection ? output : s.gradients.hidden;
    s.gradients.scaled = scaled;
    s.gradients.row = row;
    s.gradients.carried_hidden = carried_hidden;
    s.gradients.carried_cell = carried_cell;
    uncached_lines next[UNCACHED_PARTS];
    if (position > 0 && parts == 1) {
      uncached_of_step(p, position - 1, first, rows, next);
      s.next = next;
    }
    step_backward(&s);
  }
}

#endif
