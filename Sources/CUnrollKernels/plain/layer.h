// A layer without vectors, threads or packing: one sequence after the other, step by step, unit by unit. It knows every
// switch, is the oracle of the fast paths, and runs what they do not know.

#ifndef UNROLL_PLAIN_LAYER_H
#define UNROLL_PLAIN_LAYER_H

#include "units.h"

typedef struct {
  const unroll_layer *l;
  const unroll_weights *w;
  ptrdiff_t gates, together, d, h, p;  // G H, columns that enter together, D, H, P
} plain_pass;

// One step of one sequence.
typedef struct {
  const real *x, *previous_hidden, *previous_cell;
  real *gates, *saved, *hidden, *cell, *output;
  real *inputs, *products, *normal_cell, *scales;  // of layers that normalise
  ptrdiff_t index;                                 // of the row among all steps' rows
} plain_step;

static plain_pass plain_pass_of(const unroll_plan *plan, const unroll_weights *w) {
  const unroll_layer *l = &plan->layer;
  return (plain_pass){l, w, gate_width(l), together_columns(l), l->input, l->units, l->state};
}

static void plain_fill(real *to, real value, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) to[j] = value;
}
static void plain_copy(real *to, const real *from, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) to[j] = from[j];
}

// out[n] += a[k] b[k,n], whose rows are `ld` apart.
static void plain_product(real *out, const real *a, const real *b, ptrdiff_t k, ptrdiff_t n, ptrdiff_t ld) {
  for (ptrdiff_t i = 0; i < k; ++i) {
    for (ptrdiff_t j = 0; j < n; ++j) out[j] += a[i] * b[i * ld + j];
  }
}
// out[k] += b[k,n] d[n], and sums[k,n] += a[k] d[n].
static void plain_product_backward(real *out, real *sums, const real *a, const real *b, const real *d, ptrdiff_t k,
                                   ptrdiff_t n, ptrdiff_t ld) {
  for (ptrdiff_t i = 0; i < k; ++i) {
    real sum = 0;
    for (ptrdiff_t j = 0; j < n; ++j) {
      sum += b[i * ld + j] * d[j];
      sums[i * ld + j] += a[i] * d[j];
    }
    if (out) out[i] += sum;
  }
}

// values become n(values); returns 1 / sqrt(variance + 1e-5).
static real plain_normalize(real *values, ptrdiff_t count) {
  double mean = 0, variance = 0;
  for (ptrdiff_t j = 0; j < count; ++j) mean += (double)values[j];
  mean /= (double)count;
  for (ptrdiff_t j = 0; j < count; ++j) variance += ((double)values[j] - mean) * ((double)values[j] - mean);
  const double factor = 1 / sqrt(variance / (double)count + 1e-5);
  for (ptrdiff_t j = 0; j < count; ++j) values[j] = (real)(((double)values[j] - mean) * factor);
  return (real)factor;
}
// From the gradient of gain n(v) to that of v; sums += the gain's gradient.
static void plain_normalize_backward(real *out, real *sums, const real *gradient, const real *gain, const real *normal,
                                     real factor, ptrdiff_t count) {
  double mean = 0, along = 0;
  for (ptrdiff_t j = 0; j < count; ++j) {
    const double d = (double)gradient[j] * (double)gain[j];
    mean += d;
    along += d * (double)normal[j];
    sums[j] += gradient[j] * normal[j];
  }
  mean /= (double)count;
  along /= (double)count;
  for (ptrdiff_t j = 0; j < count; ++j) {
    out[j] = (real)(((double)gradient[j] * (double)gain[j] - mean - (double)normal[j] * along) * (double)factor);
  }
}

// Whether dropout keeps a number: word index % 4 of Philox4x32-10 (Salmon et al. 2011) at counter index / 4.
static int plain_keeps(const unroll_dropout *dropout, ptrdiff_t index) {
  const uint64_t counter = (uint64_t)index / 4;
  uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32) ^ dropout->stream << 16, (uint32_t)dropout->step,
                   (uint32_t)(dropout->step >> 32)};
  uint32_t key[2] = {(uint32_t)dropout->seed, (uint32_t)(dropout->seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = (uint64_t)c[0] * 0xD2511F53u, b = (uint64_t)c[2] * 0xCD9E8D57u;
    const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ key[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ key[1],
                              (uint32_t)a};
    memcpy(c, next, sizeof c);
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return c[index % 4] >= (uint32_t)(dropout->rate * 4294967296.0);
}
// The part of a unit's state that is the previous one.
static real plain_kept_part(const unroll_zoneout *z, const unroll_dropout *dropout, ptrdiff_t index) {
  return z->draws ? (plain_keeps(dropout, index) ? 0 : 1) : (real)dropout->rate;
}

static unit plain_unit(const plain_pass *p, const plain_step *s, const real *output_cell, ptrdiff_t j) {
  const unroll_cell cell = unroll_cell_of(p->l->cell);
  unit u = {.previous_hidden = j < p->p ? s->previous_hidden[j] : 0};
  for (int g = 0; g < cell.gates; ++g) u.gate[g] = s->gates[g * p->h + j];
  if (cell.saves) u.saved = s->saved[j];
  if (!cell.has_cell) return u;
  u.previous_cell = s->previous_cell[j];
  u.cell = s->cell[j];
  u.output_cell = output_cell[j];
  for (int g = 0; g < 3 && p->l->has_peepholes; ++g) u.peephole[g] = ((const real *)p->w->peepholes)[g * p->h + j];
  return u;
}

// Columns of h U or (r h) U, normalised if they are, are added to `to`. `at` is their first column.
static void plain_recurrent(const plain_pass *p, const plain_step *s, const real *operand, real *to, ptrdiff_t at,
                            ptrdiff_t count, real *values) {
  const real *u = (const real *)p->w->recurrent + at;
  if (!p->l->is_normalized) {
    plain_product(to, operand, u, p->p, count, p->gates);
    return;
  }
  const real *gain = (const real *)p->w->recurrent_gain + at;
  real *product = s->products ? s->products + at : values;
  plain_fill(product, 0, count);
  plain_product(product, operand, u, p->p, count, p->gates);
  const real factor = plain_normalize(product, count);
  if (s->scales) s->scales[SCALES_OF_STATE + (at > 0)] = factor;
  for (ptrdiff_t j = 0; j < count; ++j) to[j] += gain[j] * product[j];
}

// The arguments' part that does not depend on the state: x W, normalised if it is, and the biases that are added to it.
static void plain_inputs(const plain_pass *p, const plain_step *s) {
  const unroll_layer *l = p->l;
  const real *bias = p->w->bias, *second = p->w->second_bias, *gain = p->w->input_gain;
  plain_fill(s->gates, 0, p->gates);
  if (!l->is_normalized) plain_copy(s->gates, bias, p->gates);
  plain_product(s->gates, s->x, p->w->input, p->d, p->gates, p->gates);
  for (int group = 0; l->is_normalized && group < 2; ++group) {
    const ptrdiff_t first = group ? p->together : 0, count = group ? p->gates - p->together : p->together;
    if (count == 0) continue;
    const real factor = plain_normalize(s->gates + first, count);
    if (s->scales) s->scales[SCALES_OF_INPUT + group] = factor;
    if (s->inputs) plain_copy(s->inputs + first, s->gates + first, count);
    for (ptrdiff_t j = first; j < first + count; ++j) s->gates[j] = gain[j] * s->gates[j] + bias[j];
  }
  const ptrdiff_t added = has_separate_candidate(l) ? p->together : p->gates;
  for (ptrdiff_t j = 0; l->has_second_bias && j < added; ++j) s->gates[j] += second[j];
}

static void plain_store(const plain_pass *p, const plain_step *s, const unit *u, ptrdiff_t j) {
  const unroll_cell cell = unroll_cell_of(p->l->cell);
  for (int g = 0; g < cell.gates; ++g) s->gates[g * p->h + j] = u->gate[g];
  if (cell.saves) s->saved[j] = u->saved;
  if (cell.has_cell) s->cell[j] = u->cell;
}

// The projected output, and its clip.
static void plain_project(const plain_pass *p, const real *output, real *hidden) {
  plain_fill(hidden, 0, p->p);
  plain_product(hidden, output, p->w->projection, p->h, p->p, p->p);
  for (ptrdiff_t j = 0; j < p->p; ++j) hidden[j] = limit_to(hidden[j], p->l->projection_clip);
}

// One step; `values` holds [G H] and [H].
static void plain_forward_step(const plain_pass *p, const plain_step *s, real *values) {
  const unroll_layer *l = p->l;
  const plain_cell *cell = &plain_cells[l->cell];
  const real *second = p->w->second_bias;
  real *candidate = s->gates + p->together, *output_cell = values + p->gates;
  plain_inputs(p, s);
  plain_recurrent(p, s, s->previous_hidden, s->gates, 0, p->together, values);
  if (has_separate_candidate(l)) {
    plain_fill(s->saved, 0, p->h);
    if (l->has_second_bias) plain_copy(s->saved, second + p->together, p->h);
    plain_recurrent(p, s, s->previous_hidden, s->saved, p->together, p->h, values);
  }
  for (ptrdiff_t j = 0; j < p->h; ++j) {
    unit u = plain_unit(p, s, s->cell, j);
    cell->gates(&u, l);
    plain_store(p, s, &u, j);
  }
  if (has_late_candidate(l)) plain_recurrent(p, s, s->saved, candidate, p->together, p->h, values);
  if (has_cell_state(l)) plain_copy(output_cell, s->cell, p->h);
  if (normalizes_cell(l)) {
    const real *gain = p->w->cell_gain, *offset = p->w->cell_offset;
    const real factor = plain_normalize(output_cell, p->h);
    if (s->scales) s->scales[SCALE_OF_CELL] = factor;
    if (s->normal_cell) plain_copy(s->normal_cell, output_cell, p->h);
    for (ptrdiff_t j = 0; j < p->h; ++j) output_cell[j] = gain[j] * output_cell[j] + offset[j];
  }
  for (ptrdiff_t j = 0; j < p->h; ++j) {
    unit u = plain_unit(p, s, output_cell, j);
    cell->state(&u, l);
    plain_store(p, s, &u, j);
    s->output[j] = u.hidden;
  }
  if (l->has_projection) plain_project(p, s->output, s->hidden);
  if (!l->zoneout.is_active) return;
  for (ptrdiff_t j = 0; j < p->p; ++j) {
    const real kept = plain_kept_part(&l->zoneout, &l->zoneout.hidden, s->index * p->p + j);
    s->hidden[j] += kept * (s->previous_hidden[j] - s->hidden[j]);
  }
  for (ptrdiff_t j = 0; has_cell_state(l) && j < p->h; ++j) {
    const real kept = plain_kept_part(&l->zoneout, &l->zoneout.cell, s->index * p->h + j);
    s->cell[j] += kept * (s->previous_cell[j] - s->cell[j]);
  }
}

// A step that does not count.
static void plain_carry(const plain_pass *p, const plain_step *s) {
  plain_fill(s->gates, 0, p->gates);
  if (s->saved) plain_fill(s->saved, 0, p->h);
  plain_copy(s->hidden, s->previous_hidden, p->p);
  if (has_cell_state(p->l)) plain_copy(s->cell, s->previous_cell, p->h);
}

// The step at a position of sequence `row`. Without a trace, `scratch` holds the gates [G H], saved values [H] and two
// cell states [H], which alternate.
static plain_step plain_step_at(const plain_pass *p, const unroll_plan *plan, const unroll_sequence *q,
                                ptrdiff_t position, ptrdiff_t row, real *scratch) {
  const unroll_layer *l = p->l;
  const ptrdiff_t time = l->reversed ? l->steps - 1 - position : position;
  const ptrdiff_t earlier = l->reversed ? time + 1 : time - 1;
  const ptrdiff_t here = time * l->batch + row, before = earlier * l->batch + row;
  real *trace = q->trace, *hidden = q->hidden;
  plain_step s = {.index = here, .x = (const real *)q->inputs + here * p->d, .hidden = hidden + here * p->p};
  s.previous_hidden = position > 0 ? hidden + before * p->p : (const real *)q->initial_hidden + row * p->p;
  const int keeps = plan->mode == UNROLL_TRAIN;
  s.gates = keeps ? trace + plan->trace.gates + here * p->gates : scratch;
  s.saved = keeps ? trace + plan->trace.saved + here * p->h : scratch + p->gates;
  if (keeps && !saves_values(l)) s.saved = 0;
  s.output = l->has_projection ? s.saved : s.hidden;
  if (has_cell_state(l)) {
    real *cells = keeps ? trace + plan->trace.cells : scratch + p->gates + p->h;
    s.cell = cells + (keeps ? here : position % 2) * p->h;
    s.previous_cell = position > 0 ? cells + (keeps ? before : (position + 1) % 2) * p->h
                                   : (const real *)q->initial_cell + row * p->h;
  }
  if (!l->is_normalized || !keeps) return s;
  s.inputs = trace + plan->trace.inputs + here * p->gates;
  s.products = trace + plan->trace.products + here * p->gates;
  s.scales = trace + plan->trace.scales + here * SCALES;
  if (has_cell_state(l)) s.normal_cell = trace + plan->trace.normal_cells + here * p->h;
  return s;
}

static void plain_pack(unroll_plan *plan, const unroll_weights *weights, void *packed) {
  (void)plan, (void)weights, (void)packed;
}

static void plain_forward(const unroll_plan *plan, const unroll_weights *weights, const void *packed,
                          const unroll_sequence *q) {
  (void)packed;
  const plain_pass p = plain_pass_of(plan, weights);
  const unroll_layer *l = p.l;
  real *scratch = q->scratch, *values = scratch + p.gates + 4 * p.h;
  for (ptrdiff_t row = 0; row < l->batch; ++row) {
    const real *cell = has_cell_state(l) ? (const real *)q->initial_cell + row * p.h : 0;
    for (ptrdiff_t position = 0; position < l->steps; ++position) {
      const plain_step s = plain_step_at(&p, plan, q, position, row, scratch);
      if (l->is_masked && !q->active[s.index]) {
        plain_carry(&p, &s);
      } else {
        plain_forward_step(&p, &s, values);
      }
      cell = s.cell;
    }
    if (has_cell_state(l)) plain_copy((real *)q->final_cell + row * p.h, cell, p.h);
  }
}

static void plain_stream_step(unroll_stream *t) {
  const plain_pass p = plain_pass_of(t->plan, t->weights);
  const unroll_layer *l = p.l;
  real *scratch = t->scratch, *hidden = scratch + p.gates + p.h, *cell = hidden + p.p, *values = cell + p.h;
  for (ptrdiff_t row = 0; row < l->batch; ++row) {
    plain_step s = {.x = (const real *)t->inputs + row * p.d, .previous_hidden = hidden, .previous_cell = cell,
                    .gates = scratch, .saved = scratch + p.gates, .hidden = (real *)t->hidden + row * p.p, .index = row};
    if (has_cell_state(l)) s.cell = (real *)t->cell + row * p.h;
    s.output = l->has_projection ? s.saved : s.hidden;
    plain_copy(hidden, s.hidden, p.p);
    if (has_cell_state(l)) plain_copy(cell, s.cell, p.h);
    plain_forward_step(&p, &s, values);
  }
}

#endif
