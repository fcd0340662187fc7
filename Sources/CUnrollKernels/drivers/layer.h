// The functions of a plan: packing, a sequence forward and backward, a step of a stream. Dividing the work among threads
// changes no bit: rows of the batch and elements of a weight gradient are independent, and the sums of blocks are added
// in order.

#ifndef UNROLL_LAYER_DRIVERS_H
#define UNROLL_LAYER_DRIVERS_H

#include "lanes_backward.h"
#include "registers.h"
#include "weight_gradients.h"

// Packs the sum of both biases. The second bias of a separate candidate is not added, but stored at `candidate_bias`.
static void pack_biases(const pass *p, real *packed, ptrdiff_t candidate_bias) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l), together = has_separate_candidate(l) ? together_columns(l) : width;
  const real *second = p->weights->second_bias;
  copy(packed, p->weights->bias, width);
  if (l->has_second_bias) add_to(packed, second, together);
  if (!has_separate_candidate(l)) return;
  if (l->has_second_bias) {
    copy(packed + candidate_bias, second + together, l->units);
  } else {
    fill(packed + candidate_bias, 0, l->units);
  }
}

// The biases of the registers path, laid out as its weights.
static void pack_register_biases(const pass *p, real *packed) {
  const unroll_layer *l = p->layer;
  const registers_layout at = layout_of_registers(l, WIDTH);
  const ptrdiff_t h = l->units, gates = unroll_cell_of(l->cell).gates;
  const real *bias = p->weights->bias, *second = p->weights->second_bias;
  fill(packed, 0, at.input);
  for (ptrdiff_t g = 0; g < gates; ++g) {
    const int is_separate = g == gates - 1 && has_separate_candidate(l);
    copy(packed + g * at.gate, bias + g * h, h);
    if (!l->has_second_bias) continue;
    add_to(packed + (is_separate ? at.candidate_bias : g * at.gate), second + g * h, h);
  }
}

// The packing of matrices in panels, which threads share by columns.
typedef struct {
  const pass *p;
  real *packed;
  ptrdiff_t parts;
  int is_transposed;
} packing;

// The least count of numbers that each thread packs.
enum { LEAST_PACKED = 1 << 15 };

static void pack_part(const packing *job, ptrdiff_t part, ptrdiff_t at, const real *b, ptrdiff_t k_stride,
                      ptrdiff_t n_stride, ptrdiff_t k, ptrdiff_t n) {
  const ptrdiff_t first = cut(0, n, part, job->parts), last = cut(0, n, part + 1, job->parts);
  pack_panels(job->packed + at + first * k, b + first * n_stride, k_stride, n_stride, k, last - first);
}

static void pack_panels_part(void *context, ptrdiff_t part, int worker) {
  (void)worker;
  const packing *job = context;
  const pass *p = job->p;
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l), together = together_columns(l), d = l->input, h = l->units, state = l->state;
  const real *w = p->weights->input, *u = p->weights->recurrent, *q = p->weights->projection;
  if (job->is_transposed) {
    const packed_layout at = layout_of_transposed_panels(l, WIDTH);
    if (p->gradients->wants_inputs) pack_part(job, part, at.input, w, 1, width, width, d);
    pack_part(job, part, at.recurrent, u, 1, width, together, state);
    if (together < width) pack_part(job, part, at.candidate, u + together, 1, width, h, state);
    if (l->has_projection) pack_part(job, part, at.projection, q, 1, state, state, h);
    return;
  }
  const packed_layout at = layout_of_panels(l, WIDTH);
  pack_part(job, part, at.input, w, width, 1, d, width);
  if (p->plan->path == UNROLL_PATH_STREAMED) return;
  pack_part(job, part, at.recurrent, u, width, 1, state, together);
  if (together < width) pack_part(job, part, at.candidate, u + together, width, 1, state, h);
  if (l->has_projection) pack_part(job, part, at.projection, q, state, 1, h, state);
}

static void pack_matrices(const pass *p, real *packed, ptrdiff_t count, int is_transposed) {
  const ptrdiff_t pieces = count / LEAST_PACKED, most = pieces < p->plan->threads ? pieces : p->plan->threads;
  packing job = {p, packed, most < 1 ? 1 : most, is_transposed};
  unroll_parallel(job.parts, p->plan->threads, pack_panels_part, &job);
}

#if REAL_BITS == 32
// How weights are rounded to bf16: exactly, where all of them are bf16 already or some are not finite.
static int32_t bf16_kind(const pass *p) {
  const unroll_layer *l = p->layer;
  const int found = scan_weights(p->weights->input, l->input * gate_width(l)) |
                    scan_weights(p->weights->recurrent, l->state * gate_width(l));
  return found == HAS_LONG_WEIGHTS ? UNROLL_BF16_NEAREST : UNROLL_BF16_EXACT;
}

static void pack_bf16_panels(const pass *p, real *packed) {
  const unroll_layer *l = p->layer;
  const bf16_layout at = layout_of_bf16(l, WIDTH);
  uint32_t *to = (uint32_t *)packed;
  const ptrdiff_t width = gate_width(l), together = together_columns(l), rest = width - together;
  const real *w = p->weights->input, *u = p->weights->recurrent;
  const int kind = p->plan->bf16;
  pack_bf16(to + at.input, w, width, l->input, together, kind);
  pack_bf16(to + at.input_candidate, w + together, width, l->input, rest, kind);
  pack_bf16(to + at.recurrent, u, width, l->state, together, kind);
  pack_bf16(to + at.candidate, u + together, width, l->state, rest, kind);
  if (l->has_projection) pack_panels(packed + at.projection, p->weights->projection, l->state, 1, l->units, l->state);
}
#endif

static void pack_layer(unroll_plan *plan, const unroll_weights *weights, void *packed) {
  const pass p = {.plan = plan, .layer = &plan->layer, .weights = weights};
  const unroll_layer *l = &plan->layer;
  if (plan->path == UNROLL_PATH_REGISTERS) {
    pack_register_biases(&p, packed);
    pack_registers(&p, packed);
    return;
  }
  pack_biases(&p, packed, layout_of_panels(l, WIDTH).candidate_bias);
#if REAL_BITS == 32
  if (plan->bf16) plan->bf16 = bf16_kind(&p);
#endif
  if (plan->path == UNROLL_PATH_STREAMED) {
    pack_streamed(&p, packed);
    if (plan->mode == UNROLL_STREAM) return;
    pack_matrices(&p, (real *)packed + plan->streamed.panels, l->input * gate_width(l), 0);
    return;
  }
#if REAL_BITS == 32
  if (plan->bf16) {
    pack_bf16_panels(&p, packed);
    return;
  }
#endif
  // Lanes read unpacked weights. A frozen layer packs them anyway, for batches whose leftover sequences run on rows.
  if (plan->path == UNROLL_PATH_LANES && plan->mode == UNROLL_TRAIN) return;
  pack_matrices(&p, packed, plan->packed_count, 0);
}

static void forward_part(void *context, ptrdiff_t part, int worker) {
  (void)worker;
  const pass *p = context;
  const unroll_layer *l = p->layer;
  const unroll_plan *plan = p->plan;
  real *scratch = (real *)p->sequence->scratch + part * plan->part_scratch;
  if (plan->path != UNROLL_PATH_LANES) {
    const ptrdiff_t first = l->batch * part / plan->parts;
    forward_rows(p, first, l->batch * (part + 1) / plan->parts - first, 1, scratch);
    return;
  }
  const ptrdiff_t blocks = (l->batch - plan->leftover + WIDTH - 1) / WIDTH;
  for (ptrdiff_t block = blocks * part / plan->parts; block < blocks * (part + 1) / plan->parts; ++block) {
    const ptrdiff_t first = block * WIDTH, left = l->batch - first;
    forward_lanes(p, first, left < WIDTH ? left : WIDTH, scratch);
  }
  // The first part has the fewest blocks.
  if (plan->leftover > 0 && part == 0) forward_rows(p, l->batch - plan->leftover, plan->leftover, 1, scratch);
}

// One sequence on the registers path.
static void forward_registers(const pass *p) {
  const unroll_layer *l = p->layer;
  const unroll_sequence *q = p->sequence;
  real *scratch = q->scratch;
  real *hidden = take_scratch(&scratch, 2 * WIDTH), *cell = take_scratch(&scratch, 2 * WIDTH);
  real *saved = take_scratch(&scratch, 2 * WIDTH);
  fill(hidden, 0, 2 * WIDTH);
  fill(cell, 0, 2 * WIDTH);
  copy(hidden, q->initial_hidden, l->units);
  if (has_cell_state(l)) copy(cell, q->initial_cell, l->units);
  for (ptrdiff_t position = 0; position < l->steps; ++position) {
    const ptrdiff_t time = time_of(l, position);
    registers_step(p->plan, p->packed, (const real *)q->inputs + time * l->input, hidden, cell, saved);
    copy((real *)q->hidden + time * l->units, hidden, l->units);
  }
  if (has_cell_state(l)) copy(q->final_cell, cell, l->units);
}

static void forward(const unroll_plan *plan, const unroll_weights *weights, const void *packed,
                    const unroll_sequence *sequence) {
  const pass p = {.plan = plan, .layer = &plan->layer, .weights = weights, .packed = packed, .sequence = sequence,
                  .keeps_trace = plan->mode == UNROLL_TRAIN};
  if (plan->path == UNROLL_PATH_REGISTERS) {
    forward_registers(&p);
  } else if (plan->path == UNROLL_PATH_COLUMNS) {
    forward_rows(&p, 0, plan->layer.batch, (int)plan->parts, sequence->scratch);
  } else {
    unroll_parallel(plan->parts, plan->threads, forward_part, (void *)&p);
  }
}

static void backward_part(void *context, ptrdiff_t part, int worker) {
  (void)worker;
  const pass *p = context;
  const unroll_layer *l = p->layer;
  const unroll_plan *plan = p->plan;
  real *scratch = backward_array(p, plan->backward.parts) + part * plan->backward_part_scratch;
  if (plan->path != UNROLL_PATH_LANES) {
    const ptrdiff_t first = l->batch * part / plan->parts;
    backward_rows(p, first, l->batch * (part + 1) / plan->parts - first, 1, scratch);
    return;
  }
  const ptrdiff_t blocks = (l->batch + WIDTH - 1) / WIDTH;
  const ptrdiff_t sums = whole_lines((1 + l->input + l->units) * gate_width(l) + l->units);
  for (ptrdiff_t block = blocks * part / plan->parts; block < blocks * (part + 1) / plan->parts; ++block) {
    const ptrdiff_t first = block * WIDTH, left = l->batch - first;
    backward_lanes(p, first, left < WIDTH ? left : WIDTH, backward_array(p, plan->backward.sums) + block * sums, scratch);
  }
}

// Adds the blocks' weight gradients in order.
static void add_lane_sums(const pass *p) {
  const unroll_layer *l = p->layer;
  const unroll_weights *g = &p->gradients->weights;
  const ptrdiff_t d = l->input, h = l->units, width = gate_width(l);
  const ptrdiff_t size = whole_lines((1 + d + h) * width + h);
  const real *sums = backward_array(p, p->plan->backward.sums);
  for (ptrdiff_t block = 0; block < (l->batch + WIDTH - 1) / WIDTH; ++block, sums += size) {
    add_to(g->bias, sums, width);
    add_to(g->input, sums + width, d * width);
    add_to(g->recurrent, sums + (1 + d) * width, h * width);
    if (!l->has_second_bias || !has_separate_candidate(l)) continue;
    add_to((real *)g->second_bias + together_columns(l), sums + (1 + d + h) * width, h);
  }
}

// Zeroes the gradients that are added to; otherwise the first partial product writes them.
static void clear_weight_gradients(const pass *p, int is_empty) {
  const unroll_layer *l = p->layer;
  const unroll_weights *g = &p->gradients->weights;
  const ptrdiff_t width = gate_width(l), h = l->units;
  const int adds = is_empty || p->plan->path == UNROLL_PATH_LANES;
  if (adds || l->is_normalized) {
    fill(g->bias, 0, width);
    if (l->has_second_bias) fill(g->second_bias, 0, width);
  }
  if (adds) {
    fill(g->input, 0, l->input * width);
    fill(g->recurrent, 0, l->state * width);
    if (l->has_projection) fill(g->projection, 0, h * l->state);
  }
  if (l->has_peepholes) fill(g->peepholes, 0, 3 * h);
  if (!l->is_normalized) return;
  fill(g->input_gain, 0, width);
  fill(g->recurrent_gain, 0, width);
  if (!has_cell_state(l)) return;
  fill(g->cell_gain, 0, h);
  fill(g->cell_offset, 0, h);
}

// Second biases that are summed with the first ones have the same gradient.
static void copy_bias_gradient(const pass *p) {
  const unroll_layer *l = p->layer;
  if (!l->has_second_bias) return;
  const ptrdiff_t columns = has_separate_candidate(l) ? together_columns(l) : gate_width(l);
  copy(p->gradients->weights.second_bias, p->gradients->weights.bias, columns);
}

static void backward(const unroll_plan *plan, const unroll_weights *weights, const unroll_sequence *sequence,
                     const unroll_gradients *gradients) {
  const unroll_layer *l = &plan->layer;
  pass p = {.plan = plan, .layer = l, .weights = weights, .sequence = sequence, .gradients = gradients,
            .keeps_trace = 1};
  const int is_empty = l->steps == 0 || l->batch == 0;
  clear_weight_gradients(&p, is_empty);
  if (is_empty) return;
  if (plan->path == UNROLL_PATH_LANES) {
    unroll_parallel(plan->parts, plan->threads, backward_part, &p);
    add_lane_sums(&p);
    copy_bias_gradient(&p);
    return;
  }
  real *packed = backward_array(&p, plan->backward.packed);
  p.packed = packed;
  pack_matrices(&p, packed, layout_of_transposed_panels(l, WIDTH).count, 1);
  if (plan->path == UNROLL_PATH_COLUMNS) {
    backward_rows(&p, 0, l->batch, (int)plan->parts, backward_array(&p, plan->backward.parts));
  } else {
    unroll_parallel(plan->parts, plan->threads, backward_part, &p);
  }
  unroll_parallel(plan->pieces.recurrent + plan->pieces.candidate + plan->pieces.input + plan->pieces.rows +
                      plan->pieces.projection + plan->pieces.sums,
                  plan->threads, gradient_part, &p);
  copy_bias_gradient(&p);
}

// One step of a layer of a stream: states change in place.
static void stream_step(unroll_stream *t) {
  const unroll_plan *plan = t->plan;
  const unroll_layer *l = &plan->layer;
  if (plan->path == UNROLL_PATH_REGISTERS) {
    registers_step(plan, t->packed, t->inputs, t->hidden, t->cell, t->scratch);
    return;
  }
  const pass p = {.plan = plan, .layer = l, .weights = t->weights, .packed = t->packed};
  const ptrdiff_t rows = l->batch, h = l->units;
  real *scratch = t->scratch;
  step s = {.p = &p, .parts = 1, .inputs = t->inputs, .groups = one_group(rows)};
  s.reads_backward = t->reads_backward;
  t->reads_backward = !t->reads_backward;
  step_rows *r = &s.rows;
  r->rows = rows;
  r->gates = take_scratch(&scratch, rows * gate_width(l));
  r->saved = take_scratch(&scratch, rows * h);
  r->hidden = t->hidden;
  r->cell = t->cell;
  r->output = l->has_projection ? r->saved : r->hidden;
  r->previous_hidden = r->hidden;
  r->previous_cell = r->cell;
  if (l->zoneout.is_active) {  // which needs the states of the step before when the new ones are there
    real *hidden = take_scratch(&scratch, rows * l->state);
    copy(hidden, r->hidden, rows * l->state);
    r->previous_hidden = hidden;
    if (has_cell_state(l)) {
      real *cell = take_scratch(&scratch, rows * h);
      copy(cell, r->cell, rows * h);
      r->previous_cell = cell;
    }
  }
  if (l->is_normalized) r->product_values = take_scratch(&scratch, rows * gate_width(l));
  if (normalizes_cell(l)) {
    r->normal_cell = take_scratch(&scratch, rows * h);
    r->output_cell = take_scratch(&scratch, rows * h);
  }
  if (plan->path != UNROLL_PATH_STREAMED) take(&s, INPUT_PRODUCT);
  step_forward(&s);
}

#endif
