// A layer over a whole sequence, for a range of the batch's rows: nothing but these rows is read or
// written, so that threads which own different rows never meet. (Where they share columns, columns.h
// does each step for all of them.)

// Steps whose products with the inputs are taken together: of 192 rows, or of as many as leave room in a
// second-level cache of 2 MB, but not so few that reading W again would cost more.
#define CHUNK_ROWS 192
#define LEAST_CHUNK_ROWS 96
#define CHUNK_BYTES (3 << 19)
INLINE ptrdiff_t NAME(chunk)(const unroll_layer *l, ptrdiff_t rows) {
  const ptrdiff_t row_bytes = (NAME(gate_count)(l) * l->hidden + 1) * (ptrdiff_t)sizeof(REAL);
  const ptrdiff_t fitting = CHUNK_BYTES / row_bytes;
  const ptrdiff_t most = fitting > CHUNK_ROWS ? CHUNK_ROWS
                         : fitting < LEAST_CHUNK_ROWS ? LEAST_CHUNK_ROWS : fitting;
  const ptrdiff_t steps = most / (rows > 0 ? rows : 1);
  return steps < 1 ? 1 : steps < l->steps ? steps : l->steps;
}

// A step that all threads take together (columns.h).
typedef struct NAME(shared_step) NAME(shared_step);
static void NAME(share_inputs)(NAME(shared_step) *, REAL *gates, const REAL *x, NAME(row_groups));
static void NAME(share_step)(NAME(shared_step) *, NAME(step_rows));

static ptrdiff_t NAME(forward_room)(const unroll_layer *l, ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden;
  if (l->gates) return 0;
  const ptrdiff_t product = l->normalizes ? NAME(gate_count)(l) * h : 0;
  return rows * (NAME(chunk)(l, rows) * NAME(gate_count)(l) * h + 3 * h + product) + h;
}

// The gates' functions, and all but a GRU's candidate whose product is still to come.
static void NAME(activate_step)(const unroll_layer *l, NAME(step_rows) s, ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  if (l->cell == UNROLL_RNN && !s.active) {
    NAME(rnn_forward)(s.gates, l->gates ? s.gates : 0, s.hidden, rows * h, l->relu);
    return;
  }
  REAL *shown = l->normalizes ? 0 : s.hidden;  // else the normalised cell is
  if (l->cell == UNROLL_LSTM && !s.active) {
    NAME(lstm_forward)(s.gates, s.cell, shown, s.previous_cell, l->peepholes, h,
                       (REAL)l->forget_offset, rows);
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
        NAME(lstm_forward)(gates, s.cell + row * h, AT(REAL, shown, row * h),
                           s.previous_cell + row * h, l->peepholes, h, (REAL)l->forget_offset, 1);
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

// One step. `index` counts the rows of the steps before; `room` holds [H] where cells are normalised.
static void NAME(step_forward)(const unroll_layer *l, NAME(panels) p, NAME(step_rows) s,
                               ptrdiff_t rows, ptrdiff_t index, REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(row_groups) all = NAME(one_group)(rows);
  const int normalizes = l->normalizes;
  REAL *product = normalizes ? s.normal_product : s.gates;
  const int from = normalizes ? NAME(FROM_ROW) : NAME(FROM_OUTPUT);
  if (normalizes) NAME(normalize_inputs)(l, s, rows);
  NAME(product)(product, width, s.previous_hidden, h, p.recurrent, h, NAME(first_columns)(l), all,
                0, from);
  if (normalizes) NAME(normalize_product)(l, s, 0, rows);
  if (l->cell == UNROLL_GRU_AFTER && normalizes) {
    NAME(product)(product + 2 * h, width, s.previous_hidden, h, p.second, h, h, all, 0, from);
    NAME(normalize_product)(l, s, 1, rows);
  } else if (l->cell == UNROLL_GRU_AFTER) {
    NAME(product)(s.auxiliary, h, s.previous_hidden, h, p.second, h, h, all, l->candidate_bias,
                  NAME(FROM_ROW));
  }
  NAME(activate_step)(l, s, rows);
  if (l->cell == UNROLL_GRU_BEFORE) {
    NAME(product)(product + 2 * h, width, s.auxiliary, h, p.second, h, h, all, 0, from);
    if (normalizes) NAME(normalize_product)(l, s, 1, rows);
    NAME(finish_gru_before)(l, s, rows);
  }
  if (normalizes && l->cell == UNROLL_LSTM) NAME(normal_cell_forward)(l, s, rows, room);
  if (l->zones) NAME(zone_states)(l, s, rows, index);
}

// Where a step's normalised arrays are kept, if they are.
INLINE void NAME(attach_normal)(const unroll_layer *l, NAME(step_rows) * s, ptrdiff_t row) {
  const unroll_normalization *normal = &l->normal;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  if (!l->normalizes || !l->gates) return;
  s->normal_input = (REAL *)normal->input + row * width;
  s->normal_product = (REAL *)normal->product + row * width;
  s->normal_cell = AT(REAL, normal->cell, row * h);
  s->spreads = (REAL *)normal->spreads + row * NAME(SPREADS);
}

// The rows first ..< first + rows, from the first step to the last: all by the calling thread, or each
// step by all threads (`shared`, then of all rows; else null).
static void NAME(forward_rows)(const unroll_layer *l, ptrdiff_t first, ptrdiff_t rows,
                               REAL *room, NAME(shared_step) * shared) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, batch = l->batch;
  const ptrdiff_t chunk = NAME(chunk)(l, rows), direction = l->reversed ? -1 : 1;
  const NAME(panels) p = NAME(forward_panels)(l);
  const int tape = l->gates != 0;
  REAL *chunk_gates = room, *auxiliary = room + rows * chunk * width;
  REAL *cells[2] = {auxiliary + rows * h, auxiliary + 2 * rows * h};
  NAME(step_rows) s = {0};
  s.normal_product = cells[1] + rows * h;
  REAL *normal_cell = s.normal_product + (l->normalizes && !tape ? rows * width : 0);
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
    if (shared) {
      NAME(share_inputs)(shared, gates, x, groups);
    } else {
      NAME(product)(gates, width, x, l->input, p.input, l->input, width, groups,
                    l->normalizes ? 0 : l->bias, NAME(FROM_ROW));
    }
    for (ptrdiff_t position = start; position < start + count; ++position) {
      const ptrdiff_t row = NAME(time_of)(l, position) * batch + first;
      s.previous_hidden = s.hidden;
      s.previous_cell = s.cell;
      s.gates = gates + (position - start) * gate_step;
      s.hidden = (REAL *)l->hidden_states + row * h;
      s.auxiliary = tape ? AT(REAL, l->auxiliary, row * h) : auxiliary;
      s.cell = tape ? AT(REAL, l->cell_states, row * h) : cells[position % 2];
      s.active = l->active ? l->active + row : 0;
      NAME(attach_normal)(l, &s, row);
      if (shared) {
        NAME(share_step)(shared, s);
      } else {
        NAME(step_forward)(l, p, s, rows, row, normal_cell);
      }
    }
  }
  if (l->final_cell) NAME(move)((REAL *)l->final_cell + first * h, s.cell, rows * h);
}
