// Narrow layers in wide batches: H < WIDTH would leave most of a vector of hidden units empty, so
// a vector holds one unit of WIDTH sequences instead. Every number goes through the operations of
// sequence.h in the same order, so the bits are the same; which of the two runs is a matter of
// speed alone. Masks and peepholes are left to sequence.h.

INLINE int NAME(is_narrow)(const unroll_layer *l) {
  return l->hidden < WIDTH && l->batch >= 3 && !l->active && !l->peepholes && !l->normalizes &&
         !l->zones;
}

// Turns two squares of half the size, side by side in WIDTH / 2 vectors.
INLINE void NAME(turn_halves)(VECTOR *squares) {
  ALL_UNROLLED
  for (int step = 1; step < WIDTH / 2; step *= 2) {
    VECTOR next[WIDTH / 2];
    ALL_UNROLLED
    for (int i = 0; i < WIDTH / 4; ++i) {
      next[2 * i] = INTERLEAVE_LOW_HALVES(squares[i], squares[i + WIDTH / 4]);
      next[2 * i + 1] = INTERLEAVE_HIGH_HALVES(squares[i], squares[i + WIDTH / 4]);
    }
    for (int i = 0; i < WIDTH / 2; ++i) squares[i] = next[i];
  }
}

// to[j] = number j of each of `lanes` rows, for j < count <= WIDTH.
INLINE void NAME(gather_lanes)(VECTOR *to, const REAL *rows, ptrdiff_t ld, ptrdiff_t count,
                               ptrdiff_t lanes) {
  VECTOR square[WIDTH];
  ALL_UNROLLED
  for (int lane = 0; lane < WIDTH; ++lane) {
    square[lane] = lane < lanes ? NAME(load_part)(rows + lane * ld, count) : NAME(splat)(0);
  }
  if (count <= WIDTH / 2) {
    ALL_UNROLLED
    for (int i = 0; i < WIDTH / 2; ++i) {
      square[i] = LOW_HALVES(square[i], square[i + WIDTH / 2]);
    }
    NAME(turn_halves)(square);
    ALL_UNROLLED
    for (int j = 0; j < WIDTH / 2; ++j) {
      if (j < count) to[j] = square[j];
    }
    return;
  }
  NAME(turn)(square);
  ALL_UNROLLED
  for (int j = 0; j < WIDTH; ++j) {
    if (j < count) to[j] = square[j];
  }
}

// The reverse.
INLINE void NAME(scatter_lanes)(REAL *rows, const VECTOR *from, ptrdiff_t ld, ptrdiff_t count,
                                ptrdiff_t lanes) {
  VECTOR square[WIDTH];
  if (count <= WIDTH / 2) {
    ALL_UNROLLED
    for (int j = 0; j < WIDTH / 2; ++j) square[j] = j < count ? from[j] : NAME(splat)(0);
    NAME(turn_halves)(square);
    ALL_UNROLLED
    for (int i = 0; i < WIDTH / 2; ++i) {
      if (i < lanes) NAME(store_part)(rows + i * ld, square[i], count);
      if (i + WIDTH / 2 < lanes) {
        NAME(store_part)(rows + (i + WIDTH / 2) * ld, HIGH_HALF(square[i]), count);
      }
    }
    return;
  }
  ALL_UNROLLED
  for (int j = 0; j < WIDTH; ++j) square[j] = j < count ? from[j] : NAME(splat)(0);
  NAME(turn)(square);
  ALL_UNROLLED
  for (int lane = 0; lane < WIDTH; ++lane) {
    if (lane < lanes) NAME(store_part)(rows + lane * ld, square[lane], count);
  }
}

// Any number of columns. A full block, and one of few columns, are cases of their own, since
// constants leave no branch.
static void NAME(gather)(VECTOR *to, const REAL *rows, ptrdiff_t ld, ptrdiff_t columns,
                         ptrdiff_t lanes) {
  for (ptrdiff_t j = 0; j < columns; j += WIDTH) {
    const ptrdiff_t count = columns - j < WIDTH ? columns - j : WIDTH;
    if (lanes < WIDTH) {
      NAME(gather_lanes)(to + j, rows + j, ld, count, lanes);
    } else if (count == WIDTH / 2) {
      NAME(gather_lanes)(to + j, rows + j, ld, WIDTH / 2, WIDTH);
    } else {
      NAME(gather_lanes)(to + j, rows + j, ld, count, WIDTH);
    }
  }
}

static void NAME(scatter)(REAL *rows, const VECTOR *from, ptrdiff_t ld, ptrdiff_t columns,
                          ptrdiff_t lanes) {
  for (ptrdiff_t j = 0; j < columns; j += WIDTH) {
    const ptrdiff_t count = columns - j < WIDTH ? columns - j : WIDTH;
    if (lanes < WIDTH) {
      NAME(scatter_lanes)(rows + j, from + j, ld, count, lanes);
    } else if (count == WIDTH / 2) {
      NAME(scatter_lanes)(rows + j, from + j, ld, WIDTH / 2, WIDTH);
    } else {
      NAME(scatter_lanes)(rows + j, from + j, ld, count, WIDTH);
    }
  }
}

enum { NAME(NARROW_TILE) = 8 };

// out[columns] = start + a w, lane by lane; w[k, columns] of single numbers. The sum starts from
// the numbers of `start`, from 0 if it is null, or from what stands in `out`.
INLINE void NAME(narrow_tile)(VECTOR *out, const VECTOR *a, const REAL *w, ptrdiff_t ldw,
                              ptrdiff_t k, const REAL *start, int from, const int columns) {
  VECTOR sums[NAME(NARROW_TILE)];
  for (int j = 0; j < columns; ++j) {
    sums[j] = from == NAME(FROM_OUTPUT) ? out[j] : NAME(splat)(start ? start[j] : 0);
  }
  for (ptrdiff_t p = 0; p < k; ++p) {
    for (int j = 0; j < columns; ++j) {
      sums[j] = MULTIPLY_ADD(NAME(splat)(w[p * ldw + j]), a[p], sums[j]);
    }
  }
  for (int j = 0; j < columns; ++j) out[j] = sums[j];
}

static void NAME(narrow_product)(VECTOR *out, const VECTOR *a, const REAL *w, ptrdiff_t ldw,
                                 ptrdiff_t k, ptrdiff_t n, const REAL *start, int from) {
  ptrdiff_t j = 0;
  for (; j + 8 <= n; j += 8) {
    NAME(narrow_tile)(out + j, a, w + j, ldw, k, start ? start + j : start, from, 8);
  }
  if (j + 4 <= n) {
    NAME(narrow_tile)(out + j, a, w + j, ldw, k, start ? start + j : start, from, 4);
    j += 4;
  }
  for (; j < n; ++j) {
    NAME(narrow_tile)(out + j, a, w + j, ldw, k, start ? start + j : start, from, 1);
  }
}

static ptrdiff_t NAME(narrow_forward_room)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden;
  return WIDTH * (l->input + (NAME(gate_count)(l) + 3) * h);
}

// Up to WIDTH rows, from the first step to the last.
static void NAME(narrow_forward)(const unroll_layer *l, ptrdiff_t first, ptrdiff_t lanes,
                                 REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, d = l->input;
  const ptrdiff_t columns = NAME(first_columns)(l);
  const REAL *w = l->input_weights, *u = l->recurrent_weights;
  VECTOR *x = (VECTOR *)room, *gates = x + d, *state = gates + width, *cell = state + h;
  VECTOR *auxiliary = cell + h;
  const ptrdiff_t size = h * WIDTH;
  NAME(gather)(state, (const REAL *)l->initial_hidden + first * h, h, h, lanes);
  if (l->cell == UNROLL_LSTM) {
    NAME(gather)(cell, (const REAL *)l->initial_cell + first * h, h, h, lanes);
  }
  for (ptrdiff_t position = 0; position < l->steps; ++position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
    NAME(gather)(x, (const REAL *)l->inputs + row * d, d, d, lanes);
    NAME(narrow_product)(gates, x, w, width, d, width, l->bias, NAME(FROM_ROW));
    NAME(narrow_product)(gates, state, u, width, h, columns, 0, NAME(FROM_OUTPUT));
    switch (l->cell) {
      case UNROLL_RNN:
        NAME(rnn_forward)((REAL *)gates, 0, (REAL *)state, size, l->relu);
        break;
      case UNROLL_GRU_BEFORE:
        NAME(gru_before_gates)((REAL *)gates, (REAL *)auxiliary, (REAL *)state, size);
        NAME(narrow_product)(gates + 2 * h, auxiliary, u + 2 * h, width, h, h, 0,
                             NAME(FROM_OUTPUT));
        NAME(gru_before_output)((REAL *)gates, (REAL *)state, (REAL *)state, size);
        break;
      case UNROLL_GRU_AFTER:
        NAME(narrow_product)(auxiliary, state, u + 2 * h, width, h, h, l->candidate_bias,
                             NAME(FROM_ROW));
        NAME(gru_after_forward)((REAL *)gates, (REAL *)auxiliary, (REAL *)state, (REAL *)state,
                                size);
        break;
      default:
        NAME(lstm_forward)((REAL *)gates, (REAL *)cell, (REAL *)state, (REAL *)cell, 0, size,
                           (REAL)l->forget_offset, 1);
    }
    NAME(scatter)((REAL *)l->hidden_states + row * h, state, h, h, lanes);
    if (!l->gates) continue;
    if (l->cell == UNROLL_RNN) {
      NAME(scatter)((REAL *)l->gates + row * h, state, h, h, lanes);
      continue;
    }
    NAME(scatter)((REAL *)l->gates + row * width, gates, width, width, lanes);
    if (NAME(is_gru)(l)) {
      NAME(scatter)((REAL *)l->auxiliary + row * h, auxiliary, h, h, lanes);
    } else {
      NAME(scatter)((REAL *)l->cell_states + row * h, cell, h, h, lanes);
    }
  }
  if (!l->gates && l->final_cell) {
    NAME(scatter)((REAL *)l->final_cell + first * h, cell, h, h, lanes);
  }
}

// The numbers of one block's weight gradients: [D + H + 1, G H], and the candidate's bias.
static ptrdiff_t NAME(narrow_sums)(const unroll_layer *l) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  return (l->input + l->hidden + 1) * width + l->hidden;
}

// For the whole sequence: x, the states before, what the candidate's weights met, the gates'
// gradients and the product's; for one step: the gates, cells, states and their gradients; and
// the transposed weights.
static ptrdiff_t NAME(narrow_backward_room)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  return WIDTH * (l->steps * (l->input + 3 * h + width) + width + 6 * h + l->input) +
         width * (l->input + h + WIDTH);
}

// sums[rows, columns] = the sum over time and lanes of a[t, rows] b[t, columns]; a null `a` is 1.
INLINE void NAME(lane_sums)(REAL *sums, ptrdiff_t ld, const VECTOR *a, ptrdiff_t a_step,
                            const VECTOR *b, ptrdiff_t b_step, ptrdiff_t steps, const int rows,
                            const int columns) {
  VECTOR parts[4][4];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) parts[i][j] = NAME(splat)(0);
  }
  for (ptrdiff_t t = 0; t < steps; ++t) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        parts[i][j] = a ? MULTIPLY_ADD(a[t * a_step + i], b[t * b_step + j], parts[i][j])
                        : parts[i][j] + b[t * b_step + j];
      }
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) sums[i * ld + j] = NAME(sum)(parts[i][j]);
  }
}

static void NAME(narrow_weight_gradient)(REAL *sums, ptrdiff_t ld, const VECTOR *a,
                                         ptrdiff_t a_step, const VECTOR *b, ptrdiff_t b_step,
                                         ptrdiff_t steps, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows;) {
    const int many = rows - i >= 4 && a;
    for (ptrdiff_t j = 0; j < columns;) {
      const VECTOR *from = a ? a + i : a;
      REAL *to = sums + i * ld + j;
      const int wide = columns - j >= 4;
      if (many && wide) {
        NAME(lane_sums)(to, ld, from, a_step, b + j, b_step, steps, 4, 4);
      } else if (many) {
        NAME(lane_sums)(to, ld, from, a_step, b + j, b_step, steps, 4, 1);
      } else if (wide) {
        NAME(lane_sums)(to, ld, from, a_step, b + j, b_step, steps, 1, 4);
      } else {
        NAME(lane_sums)(to, ld, from, a_step, b + j, b_step, steps, 1, 1);
      }
      j += wide ? 4 : 1;
    }
    i += many ? 4 : 1;
  }
}

// Up to WIDTH rows, from the last step to the first; their weight gradients go to `sums`.
static void NAME(narrow_backward)(const unroll_layer *l, const unroll_layer_gradients *g,
                                  ptrdiff_t first, ptrdiff_t lanes, REAL *sums, REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, d = l->input;
  const ptrdiff_t steps = l->steps, columns = NAME(first_columns)(l), size = h * WIDTH;
  const int gru = NAME(is_gru)(l), after = l->cell == UNROLL_GRU_AFTER;
  VECTOR *x = (VECTOR *)room, *before = x + steps * d, *met = before + steps * h;
  VECTOR *dgates = met + steps * h, *dproducts = dgates + steps * width;
  VECTOR *gates = dproducts + steps * h, *cells[2] = {gates + width, gates + width + h};
  VECTOR *dh = gates + width + 2 * h, *dc = dh + h, *step = dc + h, *dx = step + h;
  REAL *transposed = (REAL *)(dx + d);
  REAL *transposed_input = transposed + width * h;
  const REAL *u = l->recurrent_weights, *w = l->input_weights;
  for (ptrdiff_t j = 0; j < width; ++j) {
    for (ptrdiff_t i = 0; i < h; ++i) transposed[j * h + i] = u[i * width + j];
    for (ptrdiff_t i = 0; i < d; ++i) transposed_input[j * d + i] = w[i * width + j];
  }
  NAME(gather)(dh, (REAL *)g->hidden_gradient + first * h, h, h, lanes);
  if (l->cell == UNROLL_LSTM) {
    NAME(gather)(dc, (REAL *)g->cell_gradient + first * h, h, h, lanes);
    const NAME(step_rows) s = NAME(tape_rows)(l, steps - 1, first);
    if (steps > 0) NAME(gather)(cells[(steps - 1) & 1], s.cell, h, h, lanes);
  }
  for (ptrdiff_t position = steps - 1; position >= 0; --position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
    const NAME(step_rows) s = NAME(tape_rows)(l, position, first);
    VECTOR *da = dgates + position * width, *previous = before + position * h;
    VECTOR *dq = dproducts + position * h, *q = met + position * h;
    VECTOR *cell = cells[position & 1], *previous_cell = cells[(position & 1) ^ 1];
    NAME(gather)(x + position * d, (const REAL *)l->inputs + row * d, d, d, lanes);
    NAME(gather)(previous, s.previous_hidden, h, h, lanes);
    NAME(gather)(gates, s.gates, width, width, lanes);
    if (gru) NAME(gather)(q, s.auxiliary, h, h, lanes);
    if (g->output_gradient) {
      NAME(gather)(step, (const REAL *)g->output_gradient + row * h, h, h, lanes);
      for (ptrdiff_t j = 0; j < h; ++j) dh[j] += step[j];
    }
    switch (l->cell) {
      case UNROLL_RNN:
        NAME(rnn_backward)((REAL *)da, (REAL *)dh, (REAL *)gates, size, l->relu);
        break;
      case UNROLL_GRU_BEFORE:
        NAME(gru_before_backward)((REAL *)da, (REAL *)dh, (REAL *)gates, (REAL *)previous, size);
        NAME(narrow_product)(step, da + 2 * h, transposed + 2 * h * h, h, h, h, 0,
                             NAME(FROM_ROW));
        NAME(gru_before_reset)((REAL *)da, (REAL *)dh, (REAL *)step, (REAL *)gates,
                               (REAL *)previous, size);
        break;
      case UNROLL_GRU_AFTER:
        NAME(gru_after_backward)((REAL *)da, (REAL *)dq, (REAL *)dh, (REAL *)gates, (REAL *)q,
                                 (REAL *)previous, size);
        NAME(narrow_product)(dh, dq, transposed + 2 * h * h, h, h, h, 0, NAME(FROM_OUTPUT));
        break;
      default:
        NAME(gather)(previous_cell, s.previous_cell, h, h, lanes);
        NAME(lstm_backward)((REAL *)da, (REAL *)dc, (REAL *)dh, (REAL *)gates, (REAL *)cell,
                            (REAL *)previous_cell, 0, size);
    }
    // Only a GRU hands part of the gradient on beside the product.
    NAME(narrow_product)(dh, da, transposed, h, columns, h, 0,
                         gru ? NAME(FROM_OUTPUT) : NAME(FROM_ROW));
    if (g->inputs) {
      NAME(narrow_product)(dx, da, transposed_input, d, width, d, 0, NAME(FROM_ROW));
      NAME(scatter)((REAL *)g->inputs + row * d, dx, d, d, lanes);
    }
  }
  NAME(scatter)((REAL *)g->hidden_gradient + first * h, dh, h, h, lanes);
  if (l->cell == UNROLL_LSTM) {
    NAME(scatter)((REAL *)g->cell_gradient + first * h, dc, h, h, lanes);
  }
  REAL *recurrent = sums + d * width, *bias = recurrent + h * width;
  NAME(narrow_weight_gradient)(sums, width, x, d, dgates, width, steps, d, width);
  NAME(narrow_weight_gradient)(recurrent, width, before, h, dgates, width, steps, h, columns);
  if (gru) {
    NAME(narrow_weight_gradient)(recurrent + 2 * h, width, after ? before : met, h,
                                 after ? dproducts : dgates + 2 * h, after ? h : width, steps, h,
                                 h);
  }
  NAME(narrow_weight_gradient)(bias, width, 0, 0, dgates, width, steps, 1, width);
  if (after) {
    NAME(narrow_weight_gradient)(bias + width, h, 0, 0, dproducts, h, steps, 1, h);
  }
}
