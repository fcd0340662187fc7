// A layer's way back over a whole sequence, for a range of the batch's rows, and the parameters'
// gradients, a piece at a time.

// What one step back reads and writes besides the tape: on entry `dh` is dL/dh', on exit dL/dh; `dc`
// likewise.
typedef struct {
  REAL *gates, *auxiliary, *input_products, *recurrent_products, *shown;
  REAL *dh, *dc;
  REAL *scaled, *carried_hidden, *carried_cell;  ///< [rows, H] of room each
  REAL *row;                                     ///< 3 [H] of room
} NAME(step_gradients);

// An LSTM's row, whose dh and dc become what is left of them.
static void NAME(lstm_row_backward)(const unroll_layer *l, NAME(step_rows) s,
                                    NAME(step_gradients) d, ptrdiff_t row) {
  const ptrdiff_t h = l->hidden, at = row * h;
  const REAL *gates = s.gates + row * 4 * h, *cell = s.cell + at;
  REAL *da = d.gates + row * 4 * h;
  if (l->zones) {
    NAME(unmixed_cell)(d.row, gates, s.previous_cell + at, h);
    cell = d.row;
  }
  if (l->normalizes) {
    REAL *output_gradient = d.row + h;
    NAME(normal_cell_backward)(l, gates, s.normal_cell + at,
                           s.spreads[row * NAME(SPREADS) + NAME(OF_CELL)], d.dh + at,
                           d.shown + at, output_gradient, d.dc + at, d.row + 2 * h);
    NAME(set)(d.dh + at, 0, h);  // all of it has gone to dc and o
    NAME(lstm_backward)(da, d.dc + at, d.dh + at, gates, cell, s.previous_cell + at, 0, h);
    NAME(move)(da + 3 * h, output_gradient, h);
    return;
  }
  NAME(lstm_backward)(da, d.dc + at, d.dh + at, gates, cell, s.previous_cell + at, l->peepholes,
                      h);
  NAME(set)(d.dh + at, 0, h);
}

// From the gates' gradients to those of x W (`of_input`) or h U, for a group of the gates.
static void NAME(product_gradients)(const unroll_layer *l, NAME(step_rows) s,
                                    NAME(step_gradients) d, int group, int of_input,
                                    ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t first = NAME(group_start)(l, group), size = NAME(group_size)(l, group);
  const unroll_normalization *normal = &l->normal;
  const REAL *gain = (const REAL *)(of_input ? normal->input_gain : normal->recurrent_gain) + first;
  const int is_apart = !of_input && group == 1 && l->cell == UNROLL_GRU_AFTER;
  const int place = (of_input ? NAME(OF_INPUT) : NAME(OF_STATE)) + group;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    const ptrdiff_t at = row * width + first;
    NAME(normalize_backward)((of_input ? d.input_products : d.recurrent_products) + at,
                             is_apart ? d.auxiliary + row * h : d.gates + at, gain,
                             (of_input ? s.normal_input : s.normal_product) + at,
                             s.spreads[row * NAME(SPREADS) + place], size);
  }
}

// Where units kept their states, their gradients go past the cell.
static void NAME(part_zoned)(const unroll_layer *l, NAME(step_rows) s, NAME(step_gradients) d,
                             ptrdiff_t rows, ptrdiff_t index) {
  const ptrdiff_t h = l->hidden;
  const unroll_zoneout *z = &l->zoneout;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    const ptrdiff_t at = row * h, first = (index + row) * h;
    if (s.active && !s.active[row]) {
      NAME(set)(d.carried_hidden + at, 0, h);
      NAME(set)(d.carried_cell + at, 0, h);
      continue;
    }
    NAME(zone_backward)(d.dh + at, d.carried_hidden + at, h, &z->hidden, z->draws, first);
    if (l->cell != UNROLL_LSTM) continue;
    NAME(zone_backward)(d.dc + at, d.carried_cell + at, h, &z->cell, z->draws, first);
  }
}

// The gates' gradients of a step, and what of dh and dc does not go through the products.
static void NAME(gates_backward)(const unroll_layer *l, NAME(step_rows) s, NAME(step_gradients) d,
                                 ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    const REAL *gates = s.gates + row * width, *before = s.previous_hidden + row * h;
    REAL *da = d.gates + row * width, *dh = d.dh + row * h;
    if (s.active && !s.active[row]) {
      // The state was carried: so is its gradient.
      NAME(set)(da, 0, width);
      if (d.auxiliary) NAME(set)(d.auxiliary + row * h, 0, h);
      if (d.shown) NAME(set)(d.shown + row * h, 0, h);
      continue;
    }
    switch (l->cell) {
      case UNROLL_RNN:
        NAME(rnn_backward)(da, dh, gates, h, l->relu);
        NAME(set)(dh, 0, h);
        break;
      case UNROLL_GRU_BEFORE: NAME(gru_before_backward)(da, dh, gates, before, h); break;
      case UNROLL_GRU_AFTER:
        NAME(gru_after_backward)(da, d.auxiliary + row * h, dh, gates, s.auxiliary + row * h,
                                 before, h);
        break;
      default: NAME(lstm_row_backward)(l, s, d, row);
    }
  }
}

// The reset gate's gradient of a GRU with that gate before the product.
static void NAME(reset_backward)(const unroll_layer *l, NAME(step_rows) s, NAME(step_gradients) d,
                                 ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden, width = 3 * h;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    if (s.active && !s.active[row]) continue;
    NAME(gru_before_reset)(d.gates + row * width, d.dh + row * h, d.scaled + row * h,
                           s.gates + row * width, s.previous_hidden + row * h, h);
  }
}

// dL/d(output) of the rows that are active.
static void NAME(add_output_gradient)(const unroll_layer *l, NAME(step_rows) s,
                                      NAME(step_gradients) d, const REAL *dy, ptrdiff_t rows) {
  const ptrdiff_t h = l->hidden;
  if (!dy) return;
  if (!s.active) {
    NAME(add)(d.dh, dy, rows * h);
    return;
  }
  for (ptrdiff_t i = 0; i < rows; ++i) {
    if (s.active[i]) NAME(add)(d.dh + i * h, dy + i * h, h);
  }
}

// One step back. `index` counts the rows of the steps before; `next` is called meanwhile.
static void NAME(step_backward)(const unroll_layer *l, NAME(panels) p, NAME(step_rows) s,
                                NAME(step_gradients) d, ptrdiff_t rows, ptrdiff_t index,
                                const NAME(far_lines) * next) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const int normalizes = l->normalizes;
  if (l->zones) NAME(part_zoned)(l, s, d, rows, index);
  NAME(gates_backward)(l, s, d, rows);
  const NAME(row_groups) all = NAME(one_group)(rows);
  const REAL *through = normalizes ? d.recurrent_products : d.gates;
  if (normalizes && NAME(is_gru)(l)) NAME(product_gradients)(l, s, d, 1, 0, rows);
  if (l->cell == UNROLL_GRU_BEFORE) {
    NAME(product)(d.scaled, h, through + 2 * h, width, p.second, h, h, all, 0, NAME(FROM_ROW));
    NAME(reset_backward)(l, s, d, rows);
  } else if (l->cell == UNROLL_GRU_AFTER) {
    NAME(product)(d.dh, h, normalizes ? through + 2 * h : d.auxiliary, normalizes ? width : h,
                  p.second, h, h, all, 0, NAME(FROM_OUTPUT));
  }
  if (normalizes) {
    NAME(product_gradients)(l, s, d, 0, 0, rows);
    for (int group = 0; group < NAME(group_count)(l); ++group) {
      NAME(product_gradients)(l, s, d, group, 1, rows);
    }
  }
  NAME(product_ahead)(d.dh, h, through, width, p.recurrent, NAME(first_columns)(l), h, all, 0,
                      NAME(FROM_OUTPUT), next);
  if (l->zones) {
    NAME(add)(d.dh, d.carried_hidden, rows * h);
    if (l->cell == UNROLL_LSTM) NAME(add)(d.dc, d.carried_cell, rows * h);
  }
}

// Of the rows of one part: what `step_gradients` calls room.
static ptrdiff_t NAME(backward_room)(const unroll_layer *l, ptrdiff_t rows) {
  return rows * l->hidden * (l->zones ? 3 : 1) +
         (l->zones || l->normalizes ? 3 * l->hidden : 0);
}

// The step at a position of the rows, as the forward pass left it.
static NAME(step_rows) NAME(tape_rows)(const unroll_layer *l, ptrdiff_t position,
                                       ptrdiff_t first) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
  const ptrdiff_t before = NAME(time_of)(l, position - 1) * l->batch + first;
  NAME(step_rows) s = {0};
  s.gates = (REAL *)l->gates + row * width;
  s.auxiliary = AT(REAL, l->auxiliary, row * h);
  s.hidden = (REAL *)l->hidden_states + row * h;
  s.cell = AT(REAL, l->cell_states, row * h);
  s.previous_hidden = position > 0 ? (const REAL *)l->hidden_states + before * h
                                   : (const REAL *)l->initial_hidden + first * h;
  s.previous_cell = position > 0 ? AT(const REAL, l->cell_states, before * h)
                                 : AT(const REAL, l->initial_cell, first * h);
  s.active = l->active ? l->active + row : 0;
  NAME(attach_normal)(l, &s, row);
  return s;
}

// The largest arrays of the step back at a position, which are far when its turn comes.
static void NAME(far_of_step)(const unroll_layer *l, const unroll_layer_gradients *g,
                              ptrdiff_t position, ptrdiff_t first, ptrdiff_t rows,
                              NAME(far_lines) far[NAME(FAR_PARTS)]) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
  const REAL *kept = l->cell == UNROLL_LSTM ? l->cell_states : l->auxiliary;
  const ptrdiff_t gates = rows * width / LINE, others = kept ? rows * h / LINE : 0;
  far[0] = (NAME(far_lines)){(const REAL *)l->gates + row * width, gates};
  far[1] = (NAME(far_lines)){(const REAL *)g->gate_gradients + row * width, gates};
  far[2] = (NAME(far_lines)){AT(const REAL, kept, row * h), others};
}

static void NAME(share_step_backward)(NAME(shared_step) *, NAME(step_rows), NAME(step_gradients),
                                      const REAL *output_gradient);

static void NAME(backward_rows)(const unroll_layer *l, const unroll_layer_gradients *g,
                                ptrdiff_t first, ptrdiff_t rows, REAL *room,
                                NAME(shared_step) * shared) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(panels) p = NAME(backward_panels)(l, g->packed);
  NAME(step_gradients) d = {0};
  d.dh = (REAL *)g->hidden_gradient + first * h;
  d.dc = AT(REAL, g->cell_gradient, first * h);
  d.scaled = room;
  d.carried_hidden = room + rows * h;
  d.carried_cell = d.carried_hidden + rows * h;
  d.row = room + (l->zones ? 3 : 1) * rows * h;
  for (ptrdiff_t position = l->steps - 1; position >= 0; --position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
    const NAME(step_rows) s = NAME(tape_rows)(l, position, first);
    const REAL *dy = AT(const REAL, g->output_gradient, row * h);
    d.gates = (REAL *)g->gate_gradients + row * width;
    d.auxiliary = AT(REAL, g->product_gradients, row * h);
    d.input_products = AT(REAL, g->input_products, row * width);
    d.recurrent_products = AT(REAL, g->recurrent_products, row * width);
    d.shown = AT(REAL, g->shown_gradients, row * h);
    if (shared) {
      NAME(share_step_backward)(shared, s, d, dy);
    } else {
      NAME(far_lines) next[NAME(FAR_PARTS)];
      if (position > 0) NAME(far_of_step)(l, g, position - 1, first, rows, next);
      NAME(add_output_gradient)(l, s, d, dy, rows);
      NAME(step_backward)(l, p, s, d, rows, row, position > 0 ? next : 0);
    }
  }
}

// dL/d(x W).
INLINE const REAL *NAME(input_products)(const unroll_layer *l, const unroll_layer_gradients *g) {
  return l->normalizes ? g->input_products : g->gate_gradients;
}

// dL/dx of the (step, sequence) pairs first ..< first + count.
static void NAME(input_gradient)(const unroll_layer *l, const unroll_layer_gradients *g,
                                 ptrdiff_t first, ptrdiff_t count) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  NAME(product)((REAL *)g->inputs + first * l->input, l->input,
                NAME(input_products)(l, g) + first * width, width,
                NAME(backward_panels)(l, g->packed).input, width, l->input,
                NAME(one_group)(count), 0, NAME(FROM_ROW));
}

// A part of a weights' gradient [k, n]: rows top ..< bottom, columns first ..< last. Squares and
// taller ones are cut between rows, wider ones between columns, whichever lets the parts copy less
// (transposed.h). The one at the top sums b's columns.
typedef struct {
  ptrdiff_t top, bottom, first, last;
} NAME(piece);

enum { NAME(LEAST_ROWS) = 16 * TILE_ROWS };  // of a piece, which copies all of b

static ptrdiff_t NAME(piece_count)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t threads) {
  const ptrdiff_t most = columns > rows
                             ? (columns + PANEL_COLUMNS - 1) / PANEL_COLUMNS
                             : (rows + NAME(LEAST_ROWS) - 1) / NAME(LEAST_ROWS);
  return most < threads ? most : threads;
}

// Piece `part` of piece_count; none is empty.
static NAME(piece) NAME(piece_of)(ptrdiff_t rows, ptrdiff_t first, ptrdiff_t last, ptrdiff_t part,
                                  ptrdiff_t parts) {
  if (last - first > rows) {
    return (NAME(piece)){0, rows, NAME(cut)(first, last, part, parts),
                         NAME(cut)(first, last, part + 1, parts)};
  }
  const ptrdiff_t strips = (rows + TILE_ROWS - 1) / TILE_ROWS;
  const ptrdiff_t bottom = strips * (part + 1) / parts * TILE_ROWS;
  return (NAME(piece)){strips * part / parts * TILE_ROWS, bottom < rows ? bottom : rows, first,
                       last};
}

// dW, and db unless it is summed elsewhere.
static void NAME(input_weight_gradient)(const unroll_layer *l, const unroll_layer_gradients *g,
                                        NAME(piece) piece, REAL *room) {
  const ptrdiff_t d = l->input, width = NAME(gate_count)(l) * l->hidden;
  NAME(transposed_product)((REAL *)g->input_weights + piece.top * width, width,
                           NAME(all_rows)((const REAL *)l->inputs + piece.top), d,
                           NAME(input_products)(l, g), width, l->steps * l->batch,
                           piece.bottom - piece.top, piece.first, piece.last,
                           l->normalizes || piece.top > 0 ? 0 : g->bias, 0, room);
}

// dU: the states before each step against the gradients of h U. The columns must not straddle the
// border of a GRU's candidate.
static void NAME(recurrent_weight_gradient)(const unroll_layer *l,
                                            const unroll_layer_gradients *g, NAME(piece) piece,
                                            REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, pairs = l->steps * l->batch;
  const ptrdiff_t rows = piece.bottom - piece.top;
  const REAL *gradients = l->normalizes ? g->recurrent_products : g->gate_gradients;
  ptrdiff_t ld = width;
  REAL *out = (REAL *)g->recurrent_weights + piece.top * width, *sums = 0;
  // The state before step t stands at t - 1, or at t + 1 for a layer that runs backward.
  const REAL *initial = (const REAL *)l->initial_hidden + piece.top;
  const REAL *states = (const REAL *)l->hidden_states + piece.top;
  NAME(split_rows) before = {initial, l->batch, states};
  if (l->reversed) {
    before = (NAME(split_rows)){states + l->batch * h, pairs - l->batch, initial};
  }
  if (NAME(is_gru)(l) && piece.first >= 2 * h) {
    if (l->cell == UNROLL_GRU_BEFORE) {
      before = NAME(all_rows)((const REAL *)l->auxiliary + piece.top);
    } else if (!l->normalizes) {
      gradients = g->product_gradients;
      ld = h;
      out += 2 * h;
      piece.first -= 2 * h;
      piece.last -= 2 * h;
      sums = piece.top > 0 ? 0 : g->candidate_bias;
    }
  }
  NAME(transposed_product)(out, width, before, h, gradients, ld, pairs, rows, piece.first,
                           piece.last, sums, 0, room);
}

// Peepholes see i and f of the state before, and o of the state after.
// `cell` holds [H].
static void NAME(peephole_gradient)(const unroll_layer *l, const unroll_layer_gradients *g,
                                    REAL *cell) {
  const ptrdiff_t h = l->hidden;
  REAL *sums = g->peepholes;
  for (ptrdiff_t position = 0; position < l->steps; ++position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch;
    const NAME(step_rows) s = NAME(tape_rows)(l, position, 0);
    for (ptrdiff_t i = 0; i < l->batch; ++i) {
      const REAL *da = (const REAL *)g->gate_gradients + (row + i) * 4 * h;
      if (l->zones) {
        NAME(unmixed_cell)(cell, s.gates + i * 4 * h, s.previous_cell + i * h, h);
      }
      FOR_VECTORS(h, {
        const VECTOR before = NAME(load_part)(s.previous_cell + i * h + j, n);
        const VECTOR after = NAME(load_part)(l->zones ? cell + j : s.cell + i * h + j, n);
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
