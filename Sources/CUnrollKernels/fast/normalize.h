// Layer normalisation (Ba, Kiros and Hinton 2016) around a cell:
//
//   a = gain_x * n(x W) + gain_h * n(h U) + bias      LSTM: h' = o * tanh(gain_c * n(c') + offset_c)
//   n(v) = (v - mean v) / sqrt(variance v + 1e-5)
//
// A row's gates are normalised together, but a GRU's r and z as one group and its candidate as
// another. What n gave stays on the tape; so do the five factors 1 / sqrt(...) of a row and step.

enum { NAME(SPREADS) = 5, NAME(OF_INPUT) = 0, NAME(OF_STATE) = 2, NAME(OF_CELL) = 4 };

// A row becomes n(row); returns the factor.
static REAL NAME(normalize)(REAL *row, ptrdiff_t count) {
  VECTOR sum = NAME(splat)(0), squares = NAME(splat)(0);
  FOR_VECTORS(count, { sum += NAME(load_part)(row + j, n); })
  const REAL mean = NAME(sum)(sum) / (REAL)count;
  FOR_VECTORS(count, {
    NAME(store_part)(row + j, NAME(load_part)(row + j, n) - mean, n);
    const VECTOR d = NAME(load_part)(row + j, n);  // again, for the zeros behind the last
    squares = MULTIPLY_ADD(d, d, squares);
  })
  const REAL variance = NAME(sum)(squares) / (REAL)count;
  const REAL factor = (REAL)(1 / sqrt((double)variance + 1e-5));
  FOR_VECTORS(count, { NAME(store_part)(row + j, NAME(load_part)(row + j, n) * factor, n); })
  return factor;
}

// From the gradient of gain * normal to that of what was normalised.
static void NAME(normalize_backward)(REAL *out, const REAL *gradient, const REAL *gain,
                                     const REAL *normal, REAL factor, ptrdiff_t count) {
  VECTOR sum = NAME(splat)(0), along = NAME(splat)(0);
  FOR_VECTORS(count, {
    const VECTOR d = NAME(load_part)(gradient + j, n) * NAME(load_part)(gain + j, n);
    sum += d;
    along = MULTIPLY_ADD(d, NAME(load_part)(normal + j, n), along);
  })
  const REAL mean = NAME(sum)(sum) / (REAL)count, slope = NAME(sum)(along) / (REAL)count;
  FOR_VECTORS(count, {
    const VECTOR d = NAME(load_part)(gradient + j, n) * NAME(load_part)(gain + j, n);
    const VECTOR rest = d - mean - NAME(load_part)(normal + j, n) * slope;
    NAME(store_part)(out + j, rest * factor, n);
  })
}

// to = start + gain * normal.
static void NAME(apply_gain)(REAL *to, const REAL *gain, const REAL *normal, const REAL *start,
                             ptrdiff_t count) {
  FOR_VECTORS(count, {
    const VECTOR first = start ? NAME(load_part)(start + j, n) : NAME(splat)(0);
    NAME(store_part)(
        to + j,
        MULTIPLY_ADD(NAME(load_part)(gain + j, n), NAME(load_part)(normal + j, n), first), n);
  })
}

// The columns of a group: all gates, or a GRU's r and z, and its candidate.
INLINE int NAME(group_count)(const unroll_layer *l) { return NAME(is_gru)(l) ? 2 : 1; }
INLINE ptrdiff_t NAME(group_start)(const unroll_layer *l, int group) {
  return group ? NAME(first_columns)(l) : 0;
}
INLINE ptrdiff_t NAME(group_size)(const unroll_layer *l, int group) {
  return group ? l->hidden : NAME(first_columns)(l);
}

// x W, in the gates' place, becomes gain_x * n(x W) + bias.
static void NAME(normalize_inputs)(const unroll_layer *l, NAME(step_rows) s, ptrdiff_t rows) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  const REAL *gain = l->normal.input_gain, *bias = l->bias;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    for (int group = 0; group < NAME(group_count)(l); ++group) {
      const ptrdiff_t first = NAME(group_start)(l, group), size = NAME(group_size)(l, group);
      REAL *gates = s.gates + row * width + first;
      const REAL factor = NAME(normalize)(gates, size);
      if (s.normal_input) {
        NAME(move)(s.normal_input + row * width + first, gates, size);
        s.spreads[row * NAME(SPREADS) + NAME(OF_INPUT) + group] = factor;
      }
      NAME(apply_gain)(gates, gain + first, gates, bias + first, size);
    }
  }
}

// h U of a group is normalised, and with its gain goes where the cell expects it.
static void NAME(normalize_product)(const unroll_layer *l, NAME(step_rows) s, int group,
                                    ptrdiff_t rows) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  const ptrdiff_t first = NAME(group_start)(l, group), size = NAME(group_size)(l, group);
  const REAL *gain = (const REAL *)l->normal.recurrent_gain + first;
  const int is_apart = group == 1 && l->cell == UNROLL_GRU_AFTER;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    REAL *product = s.normal_product + row * width + first;
    const REAL factor = NAME(normalize)(product, size);
    if (s.spreads) s.spreads[row * NAME(SPREADS) + NAME(OF_STATE) + group] = factor;
    REAL *gates = s.gates + row * width + first;
    NAME(apply_gain)(is_apart ? s.auxiliary + row * size : gates, gain, product,
                     is_apart ? l->candidate_bias : gates, size);
  }
}

// An LSTM's output shows its normalised cell state. `room` holds [H].
static void NAME(normal_cell_forward)(const unroll_layer *l, NAME(step_rows) s, ptrdiff_t rows,
                                   REAL *room) {
  const ptrdiff_t h = l->hidden;
  const REAL *gain = l->normal.cell_gain, *offset = l->normal.cell_offset;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    REAL *normal = s.normal_cell ? s.normal_cell + row * h : room;
    if (s.active && !s.active[row]) {
      NAME(set)(normal, 0, h);
      continue;
    }
    NAME(move)(normal, s.cell + row * h, h);
    const REAL factor = NAME(normalize)(normal, h);
    if (s.spreads) s.spreads[row * NAME(SPREADS) + NAME(OF_CELL)] = factor;
    const REAL *o = s.gates + row * 4 * h + 3 * h;
    FOR_VECTORS(h, {
      const VECTOR shown = MULTIPLY_ADD(NAME(load_part)(gain + j, n),
                                        NAME(load_part)(normal + j, n),
                                        NAME(load_part)(offset + j, n));
      NAME(store_part)(s.hidden + row * h + j,
                       NAME(load_part)(o + j, n) * NAME(tanh)(shown), n);
    })
  }
}

// The way back through it: `dshown` and the gradient of o are written, dc grows by what came through
// the normalisation. `room` holds [H].
static void NAME(normal_cell_backward)(const unroll_layer *l, const REAL *gates, const REAL *normal,
                                   REAL factor, const REAL *dh, REAL *dshown, REAL *output_gradient,
                                   REAL *dc, REAL *room) {
  const ptrdiff_t h = l->hidden;
  const REAL *gain = l->normal.cell_gain, *offset = l->normal.cell_offset;
  FOR_VECTORS(h, {
    const VECTOR o = NAME(load_part)(gates + 3 * h + j, n);
    const VECTOR u = NAME(tanh)(MULTIPLY_ADD(NAME(load_part)(gain + j, n),
                                             NAME(load_part)(normal + j, n),
                                             NAME(load_part)(offset + j, n)));
    const VECTOR dm = NAME(load_part)(dh + j, n);
    NAME(store_part)(dshown + j, dm * o * (1 - u * u), n);
    NAME(store_part)(output_gradient + j, dm * u * (o * (1 - o)), n);
  })
  NAME(normalize_backward)(room, dshown, gain, normal, factor, h);
  NAME(add)(dc, room, h);
}

// out[j] += the sum over rows of a[row, j] b[row, j], or of a alone.
static void NAME(sum_products)(REAL *out, const REAL *a, ptrdiff_t lda, const REAL *b,
                               ptrdiff_t ldb, ptrdiff_t rows, ptrdiff_t count) {
  for (ptrdiff_t row = 0; row < rows; ++row) {
    FOR_VECTORS(count, {
      const VECTOR x = NAME(load_part)(a + row * lda + j, n);
      const VECTOR sum = NAME(load_part)(out + j, n);
      NAME(store_part)(
          out + j, b ? MULTIPLY_ADD(x, NAME(load_part)(b + row * ldb + j, n), sum) : sum + x, n);
    })
  }
}

// The gradients of gains, biases and the cell's offset, a kind each.
enum { NAME(GAIN_PARTS) = 5 };

static void NAME(gain_gradients)(const unroll_layer *l, const unroll_layer_gradients *g,
                                 ptrdiff_t part) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, pairs = l->steps * l->batch;
  const unroll_normalization *normal = &l->normal;
  const REAL *da = g->gate_gradients;
  const int is_apart = l->cell == UNROLL_GRU_AFTER;
  const ptrdiff_t together = is_apart ? 2 * h : width;
  switch (part) {
    case 0: NAME(sum_products)(g->bias, da, width, 0, 0, pairs, width); break;
    case 1:
      NAME(sum_products)(g->input_gain, da, width, normal->input, width, pairs, width);
      break;
    case 2:
      NAME(sum_products)(g->recurrent_gain, da, width, normal->product, width, pairs, together);
      break;
    case 3:
      if (is_apart) {
        NAME(sum_products)((REAL *)g->recurrent_gain + 2 * h, g->product_gradients, h,
                           (REAL *)normal->product + 2 * h, width, pairs, h);
        if (g->candidate_bias) {
          NAME(sum_products)(g->candidate_bias, g->product_gradients, h, 0, 0, pairs, h);
        }
      }
      break;
    default:
      if (l->cell == UNROLL_LSTM) {
        NAME(sum_products)(g->cell_gain, g->shown_gradients, h, normal->cell, h, pairs, h);
        NAME(sum_products)(g->cell_offset, g->shown_gradients, h, 0, 0, pairs, h);
      }
  }
}
