// Layer normalisation (Ba, Kiros and Hinton 2016) around a cell:
//
//   a = gain_x n(x W) + gain_h n(h U) + bias      LSTM: h' = o tanh(gain_c n(c') + offset_c)
//   n(v) = (v - mean v) / sqrt(variance v + 1e-5)
//
// A row's gates are normalised together, but where the candidate's product is separate or late the other gates are one
// group and the candidate is another. The trace keeps n(...) and the factors 1 / sqrt(...).

#ifndef UNROLL_NORMALIZATION_H
#define UNROLL_NORMALIZATION_H

#include "pass.h"

// Replaces a row by n(row); returns the factor.
static real normalize(real *row, ptrdiff_t count) {
  vector sum = splat(0), squares = splat(0);
  FOR_VECTORS(count, { sum += load_part(row + j, n); })
  const real mean = vector_sum(sum) / (real)count;
  FOR_VECTORS(count, {
    store_part(row + j, load_part(row + j, n) - mean, n);
    const vector d = load_part(row + j, n);  // loaded again: lanes beyond the row must be 0
    squares = MULTIPLY_ADD(d, d, squares);
  })
  const real variance = vector_sum(squares) / (real)count;
  const real factor = (real)(1 / sqrt((double)variance + 1e-5));
  FOR_VECTORS(count, { store_part(row + j, load_part(row + j, n) * factor, n); })
  return factor;
}

// From the gradient of gain n(v) to that of v.
static void normalize_backward(real *out, const real *gradient, const real *gain, const real *normal, real factor,
                               ptrdiff_t count) {
  vector sum = splat(0), along = splat(0);
  FOR_VECTORS(count, {
    const vector d = load_part(gradient + j, n) * load_part(gain + j, n);
    sum += d;
    along = MULTIPLY_ADD(d, load_part(normal + j, n), along);
  })
  const real mean = vector_sum(sum) / (real)count, slope = vector_sum(along) / (real)count;
  FOR_VECTORS(count, {
    const vector d = load_part(gradient + j, n) * load_part(gain + j, n);
    const vector rest = d - mean - load_part(normal + j, n) * slope;
    store_part(out + j, rest * factor, n);
  })
}

// to = start + gain * normal; start is null for 0.
static void apply_gain(real *to, const real *gain, const real *normal, const real *start, ptrdiff_t count) {
  FOR_VECTORS(count, {
    const vector first = start ? load_part(start + j, n) : splat(0);
    store_part(to + j, MULTIPLY_ADD(load_part(gain + j, n), load_part(normal + j, n), first), n);
  })
}

// The columns of a group.
INLINE int group_count(const unroll_layer *l) { return together_columns(l) < gate_width(l) ? 2 : 1; }
INLINE ptrdiff_t group_start(const unroll_layer *l, int group) { return group ? together_columns(l) : 0; }
INLINE ptrdiff_t group_size(const unroll_layer *l, int group) { return group ? l->units : together_columns(l); }

// Replaces x W, in the gates' array, by gain_x n(x W) + bias.
static void normalize_inputs(const pass *p, const step_rows *s) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l);
  const real *gain = p->weights->input_gain, *bias = p->packed;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    for (int group = 0; group < group_count(l); ++group) {
      const ptrdiff_t first = group_start(l, group), size = group_size(l, group);
      real *gates = s->gates + row * width + first;
      const real factor = normalize(gates, size);
      if (s->input_values) {
        copy(s->input_values + row * width + first, gates, size);
        s->scales[row * SCALES + SCALES_OF_INPUT + group] = factor;
      }
      apply_gain(gates, gain + first, gates, bias + first, size);
    }
  }
}

// Normalises h U of a group, and adds gain_h n(h U) to the gates' arguments, or writes it to `saved` (separate candidate).
static void normalize_product(const pass *p, const step_rows *s, int group, const real *candidate_bias) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t width = gate_width(l), first = group_start(l, group), size = group_size(l, group);
  const real *gain = (const real *)p->weights->recurrent_gain + first;
  const int is_separate = group == 1 && has_separate_candidate(l);
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    real *product = s->product_values + row * width + first;
    const real factor = normalize(product, size);
    if (s->scales) s->scales[row * SCALES + SCALES_OF_STATE + group] = factor;
    real *gates = s->gates + row * width + first;
    apply_gain(is_separate ? s->saved + row * size : gates, gain, product, is_separate ? candidate_bias : gates, size);
  }
}

// The output function sees gain_c n(c') + offset_c.
static void normalize_cells(const pass *p, const step_rows *s) {
  const ptrdiff_t h = p->layer->units;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    real *normal = s->normal_cell + row * h;
    if (!is_active(s, row)) {
      fill(normal, 0, h);
      continue;
    }
    copy(normal, s->cell + row * h, h);
    const real factor = normalize(normal, h);
    if (s->scales) s->scales[row * SCALES + SCALE_OF_CELL] = factor;
    apply_gain(s->output_cell + row * h, p->weights->cell_gain, normal, p->weights->cell_offset, h);
  }
}

// Computes them again, from the trace, for the backward pass.
static void repeat_output_cells(const pass *p, const step_rows *s) {
  const ptrdiff_t h = p->layer->units;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    apply_gain(s->output_cell + row * h, p->weights->cell_gain, s->normal_cell + row * h, p->weights->cell_offset, h);
  }
}

// The gradient of what the output function sees is added to that of c'.
static void normalize_cells_backward(const pass *p, const step_rows *s, const step_gradients *d) {
  const ptrdiff_t h = p->layer->units;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    if (!is_active(s, row)) continue;
    normalize_backward(d->row, d->output_cell + row * h, p->weights->cell_gain, s->normal_cell + row * h,
                       s->scales[row * SCALES + SCALE_OF_CELL], h);
    add_to(d->cell + row * h, d->row, h);
  }
}

// From the gradients of a group's arguments to those of x W (`of_input`) or h U.
static void normalize_products_backward(const pass *p, const step_rows *s, const step_gradients *d, int group,
                                        int of_input) {
  const unroll_layer *l = p->layer;
  const ptrdiff_t h = l->units, width = gate_width(l), first = group_start(l, group), size = group_size(l, group);
  const real *gain = (const real *)(of_input ? p->weights->input_gain : p->weights->recurrent_gain) + first;
  const int is_separate = !of_input && group == 1 && has_separate_candidate(l);
  const int scale = (of_input ? SCALES_OF_INPUT : SCALES_OF_STATE) + group;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    const ptrdiff_t at = row * width + first;
    normalize_backward((of_input ? d->inputs : d->products) + at, is_separate ? d->separate + row * h : d->gates + at,
                       gain, (of_input ? s->input_values : s->product_values) + at, s->scales[row * SCALES + scale],
                       size);
  }
}

#endif
