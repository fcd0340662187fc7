// A layer over a whole sequence, for a range of the batch's rows: nothing but these rows is read
// or written, so that threads which own different rows never meet.

#define AT(type, base, offset) ((base) ? (type *)(base) + (offset) : (type *)0)

// Where the packed matrices of a layer stand; `second` holds the candidate's part of a GRU.
typedef struct {
  REAL *input, *recurrent, *second;
} NAME(panels);

INLINE ptrdiff_t NAME(padded)(ptrdiff_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

INLINE int NAME(gate_count)(const unroll_layer *l) {
  return l->cell == UNROLL_RNN ? 1 : l->cell == UNROLL_LSTM ? 4 : 3;
}

INLINE int NAME(is_gru)(const unroll_layer *l) {
  return l->cell == UNROLL_GRU_BEFORE || l->cell == UNROLL_GRU_AFTER;
}

// Columns of U that are multiplied with h at the start of a step.
INLINE ptrdiff_t NAME(first_columns)(const unroll_layer *l) {
  return NAME(is_gru)(l) ? 2 * l->hidden : NAME(gate_count)(l) * l->hidden;
}

static ptrdiff_t NAME(packed_count)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t forward = l->input * NAME(padded)(width) +
                            h * NAME(padded)(NAME(first_columns)(l)) +
                            (NAME(is_gru)(l) ? h * NAME(padded)(h) : 0);
  const ptrdiff_t backward = width * (NAME(padded)(l->input) + NAME(padded)(h));
  return forward > backward ? forward : backward;
}

static NAME(panels) NAME(forward_panels)(const unroll_layer *l) {
  NAME(panels) p;
  p.input = l->packed;
  p.recurrent = p.input + l->input * NAME(padded)(NAME(gate_count)(l) * l->hidden);
  p.second = p.recurrent + l->hidden * NAME(padded)(NAME(first_columns)(l));
  return p;
}

static void NAME(pack_forward)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t columns = NAME(first_columns)(l);
  const NAME(panels) p = NAME(forward_panels)(l);
  const REAL *u = l->recurrent_weights;
  NAME(pack)(p.input, l->input_weights, width, 1, l->input, width);
  NAME(pack)(p.recurrent, u, width, 1, h, columns);
  if (NAME(is_gru)(l)) NAME(pack)(p.second, u + 2 * h, width, 1, h, h);
}

static NAME(panels) NAME(backward_panels)(const unroll_layer *l, REAL *packed) {
  NAME(panels) p;
  p.input = packed;
  p.recurrent = p.input + NAME(gate_count)(l) * l->hidden * NAME(padded)(l->input);
  p.second = p.recurrent + NAME(first_columns)(l) * NAME(padded)(l->hidden);
  return p;
}

static void NAME(pack_backward)(const unroll_layer *l, const unroll_layer_gradients *g) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(panels) p = NAME(backward_panels)(l, g->packed);
  const REAL *u = l->recurrent_weights;
  if (g->inputs) NAME(pack)(p.input, l->input_weights, 1, width, width, l->input);
  NAME(pack)(p.recurrent, u, 1, width, NAME(first_columns)(l), h);
  if (NAME(is_gru)(l)) NAME(pack)(p.second, u + 2 * h, 1, width, h, h);
}

INLINE ptrdiff_t NAME(time_of)(const unroll_layer *l, ptrdiff_t position) {
  return l->reversed ? l->steps - 1 - position : position;
}

// Steps whose products with the inputs are taken together.
INLINE ptrdiff_t NAME(chunk)(const unroll_layer *l, ptrdiff_t rows) {
  const ptrdiff_t steps = 192 / (rows > 0 ? rows : 1);
  return steps < 1 ? 1 : steps < l->steps ? steps : l->steps;
}

static ptrdiff_t NAME(forward_room)(const unroll_layer *l, ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden;
  if (l->gates) return 0;
  return rows * (NAME(chunk)(l, rows) * NAME(gate_count)(l) * h + 3 * h);
}

INLINE void NAME(set)(REAL *restrict to, REAL value, ptrdiff_t count) {
  for (ptrdiff_t j = 0; j < count; ++j) to[j] = value;
}

INLINE void NAME(move)(REAL *to, const REAL *from, ptrdiff_t count) {
  if (to != from) memmove(to, from, (size_t)count * sizeof(REAL));
}

// What one step of the rows reads and writes.
typedef struct {
  REAL *gates, *auxiliary, *hidden, *cell;
  const REAL *previous_hidden, *previous_cell;
  const uint8_t *active;
} NAME(step_rows);

// The gates' functions, and all but a GRU's candidate whose product is still to come.
static void NAME(activate_step)(const unroll_layer *l, NAME(step_rows) s, ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  if (l->cell == UNROLL_RNN && !s.active) {
    NAME(rnn_forward)(s.gates, l->gates ? s.gates : 0, s.hidden, rows * h, l->relu);
    return;
  }
  for (ptrdiff_t row = 0; row < rows; ++row) {
    REAL *gates = s.gates + row * width, *hidden = s.hidden + row * h;
    const REAL *before = s.previous_hidden + row * h;
    if (s.active && !s.active[row]) {
      NAME(set)(gates, 0, width);
      NAME(move)(hidden, before, h);
      if (NAME(is_gru)(l)) NAME(set)(s.auxiliary + row * h, 0, h);
      if (l->cell == UNROLL_LSTM) NAME(move)(s.cell + row * h, s.previous_cell + row * h, h);
      continue;
    }
    switch (l->cell) {
      case UNROLL_RNN: NAME(rnn_forward)(gates, gates, hidden, h, l->relu); break;
      case UNROLL_GRU_BEFORE:
        NAME(gru_before_gates)(gates, s.auxiliary + row * h, before, h);
        break;
      case UNROLL_GRU_AFTER:
        NAME(gru_after_forward)(gates, s.auxiliary + row * h, hidden, before, h);
        break;
      default:
        NAME(lstm_forward)(gates, s.cell + row * h, hidden, s.previous_cell + row * h,
                           l->peepholes, h, (REAL)l->forget_offset);
    }
  }
}

// The candidate and the new state of a GRU with the reset gate before the product.
static void NAME(finish_gru_before)(const unroll_layer *l, NAME(step_rows) s, ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    REAL *gates = s.gates + row * 3 * h;
    if (s.active && !s.active[row]) {
      NAME(set)(gates, 0, 3 * h);
    } else {
      NAME(gru_before_output)(gates, s.hidden + row * h, s.previous_hidden + row * h, h);
    }
  }
}

static void NAME(step_forward)(const unroll_layer *l, NAME(panels) p, NAME(step_rows) s,
                               ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  NAME(product)(s.gates, width, s.previous_hidden, h, p.recurrent, h, NAME(first_columns)(l),
                NAME(one_group)(rows), 0, NAME(FROM_OUTPUT));
  if (l->cell == UNROLL_GRU_AFTER) {
    NAME(product)(s.auxiliary, h, s.previous_hidden, h, p.second, h, h, NAME(one_group)(rows),
                  l->candidate_bias, NAME(FROM_ROW));
  }
  NAME(activate_step)(l, s, rows);
  if (l->cell != UNROLL_GRU_BEFORE) return;
  NAME(product)(s.gates + 2 * h, width, s.auxiliary, h, p.second, h, h, NAME(one_group)(rows), 0,
                NAME(FROM_OUTPUT));
  NAME(finish_gru_before)(l, s, rows);
}

// The rows first ..< first + rows, from the first step to the last.
static void NAME(forward_rows)(const unroll_layer *l, ptrdiff_t first, ptrdiff_t rows,
                               REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, batch = l->batch;
  const ptrdiff_t chunk = NAME(chunk)(l, rows), direction = l->reversed ? -1 : 1;
  const NAME(panels) p = NAME(forward_panels)(l);
  const int tape = l->gates != 0;
  REAL *chunk_gates = room, *auxiliary = room + rows * chunk * width;
  REAL *cells[2] = {auxiliary + rows * h, auxiliary + 2 * rows * h};
  NAME(step_rows) s = {0};
  s.hidden = (REAL *)l->initial_hidden + first * h;
  s.cell = AT(REAL, l->initial_cell, first * h);
  for (ptrdiff_t start = 0; start < l->steps; start += chunk) {
    const ptrdiff_t count = l->steps - start < chunk ? l->steps - start : chunk;
    const ptrdiff_t time = NAME(time_of)(l, start);
    const REAL *x = (const REAL *)l->inputs + (time * batch + first) * l->input;
    const ptrdiff_t gate_step = tape ? direction * batch * width : rows * width;
    REAL *gates = tape ? (REAL *)l->gates + (time * batch + first) * width : chunk_gates;
    // A whole batch that is read forward is one long group of rows.
    const NAME(row_groups) groups =
        rows == batch && !l->reversed
            ? NAME(one_group)(rows * count)
            : (NAME(row_groups)){count, rows, gate_step, direction * batch * l->input};
    NAME(product)(gates, width, x, l->input, p.input, l->input, width, groups, l->bias,
                  NAME(FROM_ROW));
    for (ptrdiff_t position = start; position < start + count; ++position) {
      const ptrdiff_t row = NAME(time_of)(l, position) * batch + first;
      s.previous_hidden = s.hidden;
      s.previous_cell = s.cell;
      s.gates = gates + (position - start) * gate_step;
      s.hidden = (REAL *)l->hidden_states + row * h;
      s.auxiliary = tape ? AT(REAL, l->auxiliary, row * h) : auxiliary;
      s.cell = tape ? AT(REAL, l->cell_states, row * h) : cells[position % 2];
      s.active = l->active ? l->active + row : 0;
      NAME(step_forward)(l, p, s, rows);
    }
  }
  if (!tape && l->final_cell) NAME(move)((REAL *)l->final_cell + first * h, s.cell, rows * h);
}

static void NAME(add)(REAL *restrict to, const REAL *restrict from, ptrdiff_t count) {
  FOR_VECTORS(count, {
    NAME(store_part)(to + j, NAME(load_part)(to + j, n) + NAME(load_part)(from + j, n), n);
  })
}

// One step back. On entry `dh` is dL/dh', on exit dL/dh; `dc` likewise; `room` holds [rows, H].
static void NAME(step_backward)(const unroll_layer *l, NAME(panels) p, NAME(step_rows) s,
                                REAL *dgates, REAL *dproduct, REAL *dh, REAL *dc, REAL *room,
                                ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    const REAL *gates = s.gates + row * width, *before = s.previous_hidden + row * h;
    REAL *da = dgates + row * width, *d = dh + row * h;
    if (s.active && !s.active[row]) {
      // The state was carried: so is its gradient.
      NAME(set)(da, 0, width);
      if (dproduct) NAME(set)(dproduct + row * h, 0, h);
      continue;
    }
    switch (l->cell) {
      case UNROLL_RNN:
        NAME(rnn_backward)(da, d, gates, h, l->relu);
        NAME(set)(d, 0, h);
        break;
      case UNROLL_GRU_BEFORE: NAME(gru_before_backward)(da, d, gates, before, h); break;
      case UNROLL_GRU_AFTER:
        NAME(gru_after_backward)(da, dproduct + row * h, d, gates, s.auxiliary + row * h, before,
                                 h);
        break;
      default:
        NAME(lstm_backward)(da, dc + row * h, d, gates, s.cell + row * h,
                            s.previous_cell + row * h, l->peepholes, h);
        NAME(set)(d, 0, h);
    }
  }
  const NAME(row_groups) all = NAME(one_group)(rows);
  if (l->cell == UNROLL_GRU_BEFORE) {
    NAME(product)(room, h, dgates + 2 * h, width, p.second, h, h, all, 0, NAME(FROM_ROW));
    for (ptrdiff_t row = 0; row < rows; ++row) {
      if (s.active && !s.active[row]) continue;
      NAME(gru_before_reset)(dgates + row * width, dh + row * h, room + row * h,
                             s.gates + row * width, s.previous_hidden + row * h, h);
    }
  } else if (l->cell == UNROLL_GRU_AFTER) {
    NAME(product)(dh, h, dproduct, h, p.second, h, h, all, 0, NAME(FROM_OUTPUT));
  }
  NAME(product)(dh, h, dgates, width, p.recurrent, NAME(first_columns)(l), h, all, 0,
                NAME(FROM_OUTPUT));
}

// The step at a position of the rows, as the forward pass left it.
static NAME(step_rows) NAME(tape_rows)(const unroll_layer *l, ptrdiff_t position,
                                       ptrdiff_t first) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
  const ptrdiff_t before = NAME(time_of)(l, position - 1) * l->batch + first;
  NAME(step_rows) s;
  s.gates = (REAL *)l->gates + row * width;
  s.auxiliary = AT(REAL, l->auxiliary, row * h);
  s.hidden = (REAL *)l->hidden_states + row * h;
  s.cell = AT(REAL, l->cell_states, row * h);
  s.previous_hidden = position > 0 ? (const REAL *)l->hidden_states + before * h
                                   : (const REAL *)l->initial_hidden + first * h;
  s.previous_cell = position > 0 ? AT(const REAL, l->cell_states, before * h)
                                 : AT(const REAL, l->initial_cell, first * h);
  s.active = l->active ? l->active + row : 0;
  return s;
}

static void NAME(backward_rows)(const unroll_layer *l, const unroll_layer_gradients *g,
                                ptrdiff_t first, ptrdiff_t rows, REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(panels) p = NAME(backward_panels)(l, g->packed);
  REAL *dh = (REAL *)g->hidden_gradient + first * h;
  REAL *dc = AT(REAL, g->cell_gradient, first * h);
  for (ptrdiff_t position = l->steps - 1; position >= 0; --position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
    const NAME(step_rows) s = NAME(tape_rows)(l, position, first);
    if (g->output_gradient) {
      const REAL *dy = (const REAL *)g->output_gradient + row * h;
      if (!s.active) {
        NAME(add)(dh, dy, rows * h);
      } else {
        for (ptrdiff_t i = 0; i < rows; ++i) {
          if (s.active[i]) NAME(add)(dh + i * h, dy + i * h, h);
        }
      }
    }
    NAME(step_backward)(l, p, s, (REAL *)g->gate_gradients + row * width,
                        AT(REAL, g->product_gradients, row * h), dh, dc, room, rows);
  }
}

// dL/dx of the (step, sequence) pairs first ..< first + count.
static void NAME(input_gradient)(const unroll_layer *l, const unroll_layer_gradients *g,
                                 ptrdiff_t first, ptrdiff_t count) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  NAME(product)((REAL *)g->inputs + first * l->input, l->input,
                (const REAL *)g->gate_gradients + first * width, width,
                NAME(backward_panels)(l, g->packed).input, width, l->input,
                NAME(one_group)(count), 0, NAME(FROM_ROW));
}

// dW and db, columns first ..< last of the gates.
static void NAME(input_weight_gradient)(const unroll_layer *l, const unroll_layer_gradients *g,
                                        ptrdiff_t first, ptrdiff_t last, REAL *room) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  NAME(transposed_product)(g->input_weights, width, l->inputs, l->input, g->gate_gradients, width,
                           l->steps * l->batch, l->input, first, last, g->bias, room);
}

// dU, columns first ..< last: the states before each step against the gradients of h U. They must
// not straddle the candidate's columns of a GRU.
static void NAME(recurrent_weight_gradient)(const unroll_layer *l,
                                            const unroll_layer_gradients *g, ptrdiff_t first,
                                            ptrdiff_t last, REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, batch = l->batch;
  const REAL *gradients = g->gate_gradients;
  ptrdiff_t ld = width;
  REAL *out = g->recurrent_weights, *sums = 0;
  if (NAME(is_gru)(l) && first >= 2 * h) {
    if (l->cell == UNROLL_GRU_BEFORE) {
      NAME(transposed_product)(out, width, l->auxiliary, h, gradients, width, l->steps * batch, h,
                               first, last, 0, room);
      return;
    }
    gradients = g->product_gradients;
    ld = h;
    out += 2 * h;
    first -= 2 * h;
    last -= 2 * h;
    sums = g->candidate_bias;
  }
  // The state before step t stands at t - 1, or at t + 1 for a layer that runs backward.
  const ptrdiff_t start = l->reversed ? l->steps - 1 : 0, rest = l->reversed ? 0 : 1;
  const REAL *states = (const REAL *)l->hidden_states + (l->reversed ? batch * h : 0);
  NAME(transposed_product)(out, width, l->initial_hidden, h, gradients + start * batch * ld, ld,
                           batch, h, first, last, sums, room);
  NAME(transposed_product)(out, width, states, h, gradients + rest * batch * ld, ld,
                           (l->steps - 1) * batch, h, first, last, sums, room);
}

// Peepholes see i and f of the state before, and o of the state after.
static void NAME(peephole_gradient)(const unroll_layer *l, const unroll_layer_gradients *g) {
  const ptrdiff_t h = l->hidden;
  REAL *sums = g->peepholes;
  for (ptrdiff_t position = 0; position < l->steps; ++position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch;
    const NAME(step_rows) s = NAME(tape_rows)(l, position, 0);
    for (ptrdiff_t i = 0; i < l->batch; ++i) {
      const REAL *da = (const REAL *)g->gate_gradients + (row + i) * 4 * h;
      FOR_VECTORS(h, {
        const VECTOR before = NAME(load_part)(s.previous_cell + i * h + j, n);
        const VECTOR after = NAME(load_part)(s.cell + i * h + j, n);
        const VECTOR terms[3] = {NAME(load_part)(da + j, n) * before,
                                 NAME(load_part)(da + h + j, n) * before,
                                 NAME(load_part)(da + 3 * h + j, n) * after};
        for (int gate = 0; gate < 3; ++gate) {
          REAL *to = sums + gate * h + j;
          NAME(store_part)(to, NAME(load_part)(to, n) + terms[gate], n);
        }
      })
    }
  }
}
