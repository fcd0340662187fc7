// The plain layer backward: one sequence after the other, from its last step to its first. Weight gradients are added to at
// every step.

#ifndef UNROLL_PLAIN_BACKWARD_H
#define UNROLL_PLAIN_BACKWARD_H

#include "layer.h"

// Scratch of a step backward.
typedef struct {
  real *gates;          // [G H]: of arguments
  real *products;       // [G H]: of h U, where it is normalised
  real *separate;       // [H]: of h U + c
  real *output, *scaled, *output_cell, *output_cell_values, *cell;  // [H]
  real *hidden, *carried_hidden, *projected;                        // [P]
  real *carried_cell;                                               // [H]
} plain_backward_scratch;

static plain_backward_scratch plain_divide(const plain_pass *p, real *scratch) {
  const ptrdiff_t h = p->h > p->p ? p->h : p->p;
  real *rows = scratch + 2 * p->gates;
  return (plain_backward_scratch){scratch, scratch + p->gates, rows, rows + h, rows + 2 * h, rows + 3 * h, rows + 4 * h,
                                  rows + 5 * h, rows + 6 * h, rows + 7 * h, rows + 8 * h, rows + 9 * h};
}

// From the gradients of a group's arguments to those of its recurrent product: `through` is h or r h, whose gradient `out`
// is added to.
static void plain_recurrent_backward(const plain_pass *p, const plain_step *s, const unroll_weights *g, const real *through,
                                     const real *gradient, real *out, ptrdiff_t at, ptrdiff_t count, real *products) {
  if (p->l->is_normalized) {
    plain_normalize_backward(products, (real *)g->recurrent_gain + at, gradient, (const real *)p->w->recurrent_gain + at,
                             s->products + at, s->scales[SCALES_OF_STATE + (at > 0)], count);
    gradient = products;
  }
  plain_product_backward(out, (real *)g->recurrent + at, through, (const real *)p->w->recurrent + at, gradient, p->p,
                         count, p->gates);
}

// The gradients of x W and of biases.
static void plain_inputs_backward(const plain_pass *p, const plain_step *s, const unroll_weights *g,
                                  const plain_backward_scratch *b, real *dx) {
  const unroll_layer *l = p->l;
  const ptrdiff_t added = has_separate_candidate(l) ? p->together : p->gates;
  for (ptrdiff_t j = 0; j < p->gates; ++j) ((real *)g->bias)[j] += b->gates[j];
  for (ptrdiff_t j = 0; l->has_second_bias && j < p->gates; ++j) {
    ((real *)g->second_bias)[j] += j < added ? b->gates[j] : b->separate[j - added];
  }
  const real *gradient = b->gates;
  for (int group = 0; l->is_normalized && group < 2; ++group) {
    const ptrdiff_t first = group ? p->together : 0, count = group ? p->gates - p->together : p->together;
    if (count == 0) continue;
    plain_normalize_backward(b->products + first, (real *)g->input_gain + first, b->gates + first,
                             (const real *)p->w->input_gain + first, s->inputs + first, s->scales[SCALES_OF_INPUT + group],
                             count);
    gradient = b->products;
  }
  plain_product_backward(dx, g->input, s->x, p->w->input, gradient, p->d, p->gates, p->gates);
}

// Backward through zoneout and the projection: from dL/dh' to the gradient of the cell's output, in b->output.
static void plain_output_backward(const plain_pass *p, const plain_step *s, const unroll_weights *g,
                                  const plain_backward_scratch *b, real *hidden, real *cell) {
  const unroll_layer *l = p->l;
  plain_fill(b->carried_hidden, 0, p->p);
  plain_fill(b->carried_cell, 0, p->h);
  for (ptrdiff_t j = 0; l->zoneout.is_active && j < p->p; ++j) {
    b->carried_hidden[j] = plain_kept_part(&l->zoneout, &l->zoneout.hidden, s->index * p->p + j) * hidden[j];
    hidden[j] -= b->carried_hidden[j];
  }
  for (ptrdiff_t j = 0; l->zoneout.is_active && has_cell_state(l) && j < p->h; ++j) {
    b->carried_cell[j] = plain_kept_part(&l->zoneout, &l->zoneout.cell, s->index * p->h + j) * cell[j];
    cell[j] -= b->carried_cell[j];
  }
  if (!l->has_projection) {
    plain_copy(b->output, hidden, p->h);
    return;
  }
  plain_project(p, s->output, b->projected);
  const real limit = (real)l->projection_clip;
  for (ptrdiff_t j = 0; j < p->p; ++j) {
    const int is_clipped = limit > 0 && (b->projected[j] >= limit || b->projected[j] <= -limit);
    b->projected[j] = is_clipped ? 0 : hidden[j];
  }
  plain_fill(b->output, 0, p->h);
  plain_product_backward(b->output, g->projection, s->output, p->w->projection, b->projected, p->h, p->p, p->p);
}

// c' before zoneout, and what the output function saw.
static plain_step plain_unmixed(const plain_pass *p, const plain_step *s, const plain_backward_scratch *b) {
  const unroll_layer *l = p->l;
  plain_step unmixed = *s;
  if (!has_cell_state(l)) return unmixed;
  if (l->zoneout.is_active) {
    const real *i = s->gates, *f = i + p->h, *n = f + p->h;
    for (ptrdiff_t j = 0; j < p->h; ++j) {
      b->cell[j] = limit_to(f[j] * s->previous_cell[j] + i[j] * n[j], l->cell_clip);
    }
    unmixed.cell = b->cell;
  }
  plain_copy(b->output_cell_values, unmixed.cell, p->h);
  const real *gain = p->w->cell_gain, *offset = p->w->cell_offset;
  for (ptrdiff_t j = 0; l->is_normalized && j < p->h; ++j) {
    b->output_cell_values[j] = gain[j] * s->normal_cell[j] + offset[j];
  }
  return unmixed;
}

// The gradient of what the output function sees goes to that of c', which is in `cell`.
static void plain_cell_backward(const plain_pass *p, const plain_step *s, const unroll_weights *g,
                                const plain_backward_scratch *b, real *cell) {
  if (!p->l->is_normalized) {
    for (ptrdiff_t j = 0; j < p->h; ++j) cell[j] += b->output_cell[j];
    return;
  }
  for (ptrdiff_t j = 0; j < p->h; ++j) ((real *)g->cell_offset)[j] += b->output_cell[j];
  plain_normalize_backward(b->scaled, g->cell_gain, b->output_cell, p->w->cell_gain, s->normal_cell,
                           s->scales[SCALE_OF_CELL], p->h);
  for (ptrdiff_t j = 0; j < p->h; ++j) cell[j] += b->scaled[j];
}

static void plain_load(const plain_pass *p, const plain_backward_scratch *b, const real *cell, ptrdiff_t j,
                       unit_gradient *d) {
  for (int g = 0; g < unroll_cell_of(p->l->cell).gates; ++g) d->gate[g] = b->gates[g * p->h + j];
  d->hidden = b->output[j];
  d->saved = b->scaled[j];
  if (has_cell_state(p->l)) d->cell = cell[j];
}

static void plain_keep(const plain_pass *p, const plain_backward_scratch *b, ptrdiff_t j, const unit_gradient *d) {
  for (int g = 0; g < unroll_cell_of(p->l->cell).gates; ++g) b->gates[g * p->h + j] = d->gate[g];
  b->output[j] = d->hidden;
  b->output_cell[j] = d->output_cell;
}

// One step. On entry `hidden` and `cell` are dL/dh' and dL/dc', on exit dL/dh and dL/dc.
static void plain_backward_step(const plain_pass *p, const plain_step *given, const unroll_weights *g,
                                const plain_backward_scratch *b, real *hidden, real *cell, real *dx) {
  const unroll_layer *l = p->l;
  const plain_cell *of = &plain_cells[l->cell];
  plain_output_backward(p, given, g, b, hidden, cell);
  const plain_step step = plain_unmixed(p, given, b), *s = &step;
  for (ptrdiff_t j = 0; j < p->h; ++j) {
    const unit u = plain_unit(p, s, b->output_cell_values, j);
    unit_gradient d = {.hidden = b->output[j]};
    of->state_backward(&u, &d, l);
    plain_keep(p, b, j, &d);
    b->separate[j] = d.saved;
  }
  if (has_cell_state(l)) plain_cell_backward(p, s, g, b, cell);
  plain_fill(b->hidden, 0, p->p);
  if (has_late_candidate(l)) {
    plain_fill(b->scaled, 0, p->h);
    plain_recurrent_backward(p, s, g, s->saved, b->gates + p->together, b->scaled, p->together, p->h, b->products);
  } else if (has_separate_candidate(l)) {
    plain_recurrent_backward(p, s, g, s->previous_hidden, b->separate, b->hidden, p->together, p->h, b->products);
  }
  for (ptrdiff_t j = 0; j < p->h; ++j) {
    const unit u = plain_unit(p, s, b->output_cell_values, j);
    unit_gradient d = {.output_cell = 0};
    plain_load(p, b, cell, j, &d);
    of->gates_backward(&u, &d, l);
    plain_keep(p, b, j, &d);
    if (!has_cell_state(l)) continue;
    cell[j] = d.cell;
    if (!l->has_peepholes) continue;
    real *sums = g->peepholes;
    sums[j] += d.gate[0] * u.previous_cell;
    sums[p->h + j] += d.gate[1] * u.previous_cell;
    sums[2 * p->h + j] += d.gate[3] * u.cell;
  }
  plain_recurrent_backward(p, s, g, s->previous_hidden, b->gates, b->hidden, 0, p->together, b->products);
  plain_inputs_backward(p, s, g, b, dx);
  for (ptrdiff_t j = 0; j < p->p; ++j) {
    hidden[j] = b->hidden[j] + b->carried_hidden[j] + (l->has_projection ? 0 : b->output[j]);
  }
  for (ptrdiff_t j = 0; has_cell_state(l) && j < p->h; ++j) cell[j] += b->carried_cell[j];
}

static void plain_clear(const plain_pass *p, const unroll_weights *g) {
  const unroll_layer *l = p->l;
  plain_fill(g->input, 0, p->d * p->gates);
  plain_fill(g->recurrent, 0, p->p * p->gates);
  plain_fill(g->bias, 0, p->gates);
  if (l->has_second_bias) plain_fill(g->second_bias, 0, p->gates);
  if (l->has_peepholes) plain_fill(g->peepholes, 0, 3 * p->h);
  if (l->has_projection) plain_fill(g->projection, 0, p->h * p->p);
  if (!l->is_normalized) return;
  plain_fill(g->input_gain, 0, p->gates);
  plain_fill(g->recurrent_gain, 0, p->gates);
  if (!has_cell_state(l)) return;
  plain_fill(g->cell_gain, 0, p->h);
  plain_fill(g->cell_offset, 0, p->h);
}

static void plain_backward(const unroll_plan *plan, const unroll_weights *weights, const unroll_sequence *q,
                           const unroll_gradients *g) {
  const plain_pass p = plain_pass_of(plan, weights);
  const unroll_layer *l = p.l;
  const plain_backward_scratch b = plain_divide(&p, q->scratch);
  plain_clear(&p, &g->weights);
  for (ptrdiff_t row = 0; row < l->batch; ++row) {
    real *hidden = (real *)g->hidden + row * p.p, *cell = has_cell_state(l) ? (real *)g->cell + row * p.h : 0;
    for (ptrdiff_t position = l->steps - 1; position >= 0; --position) {
      const plain_step s = plain_step_at(&p, plan, q, position, row, 0);
      real *dx = g->wants_inputs ? (real *)g->inputs + s.index * p.d : 0;
      if (dx) plain_fill(dx, 0, p.d);
      if (l->is_masked && !q->active[s.index]) continue;  // the states were carried: so are their gradients
      const real *loss = g->has_output ? (const real *)g->output + s.index * p.p : 0;
      for (ptrdiff_t j = 0; loss && j < p.p; ++j) hidden[j] += loss[j];
      plain_backward_step(&p, &s, &g->weights, &b, hidden, cell, dx);
    }
  }
}

#endif
