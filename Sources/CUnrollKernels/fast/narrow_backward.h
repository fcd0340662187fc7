// Narrow layers (narrow.h), from the last step to the first.

// Steps that go back before their weights' gradients are summed: what these need is still in the
// first-level cache, where D is not large.
enum { NAME(BACK_STEPS) = 8 };

// The numbers of one block's weight gradients: [1 + D + H, G H], the bias first, and the candidate's bias.
static ptrdiff_t NAME(narrow_sums)(const unroll_layer *l) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  return (1 + l->input + l->hidden) * width + l->hidden;
}

// In vectors: of BACK_STEPS steps what the weights met (1, x and the state before; a GRU's r h), the
// gates' gradients and the product's; of one the gates, the cell (or a GRU's auxiliary) and the one
// before, the gradients of the state, the cell, the output and the inputs; the sums. Then the transposed
// weights.
static ptrdiff_t NAME(narrow_backward_room)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const ptrdiff_t steps = NAME(BACK_STEPS) * (1 + l->input + 3 * h + width);
  return WIDTH * (steps + width + 5 * h + l->input + NAME(narrow_sums)(l)) +
         width * (l->input + h + WIDTH);
}

// sums[rows, columns] = or (`adds`) += a[t, rows] b[t, columns] over the steps, lane by lane.
INLINE void NAME(lane_tile)(VECTOR *sums, ptrdiff_t ld, const VECTOR *a, ptrdiff_t a_step,
                            const VECTOR *b, ptrdiff_t b_step, ptrdiff_t steps, int adds,
                            const int rows, const int columns) {
  VECTOR parts[4][4];
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) parts[i][j] = adds ? sums[i * ld + j] : NAME(splat)(0);
  }
  for (ptrdiff_t t = 0; t < steps; ++t) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        parts[i][j] = MULTIPLY_ADD(a[t * a_step + i], b[t * b_step + j], parts[i][j]);
      }
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) sums[i * ld + j] = parts[i][j];
  }
}

#define LANE_TILE(ROWS, COLUMNS)                                                                 \
  NAME(lane_tile)(sums + i * ld + j, ld, a + i, a_step, b + j, b_step, steps, adds, ROWS, COLUMNS)
#define LANE_TILES(COLUMNS)                \
  switch (rows - i) {                      \
    case 1: LANE_TILE(1, COLUMNS); break;  \
    case 2: LANE_TILE(2, COLUMNS); break;  \
    case 3: LANE_TILE(3, COLUMNS); break;  \
    default: LANE_TILE(4, COLUMNS);        \
  }

// The same for any number of rows and columns.
static void NAME(lane_product)(VECTOR *sums, ptrdiff_t ld, const VECTOR *a, ptrdiff_t a_step,
                               const VECTOR *b, ptrdiff_t b_step, ptrdiff_t steps, int adds,
                               ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i += 4) {
    ptrdiff_t j = 0;
    for (; j + 4 <= columns; j += 4) LANE_TILES(4)
    for (; j < columns; ++j) LANE_TILES(1)
  }
}

// to[i] = the sum of from[i], in NAME(sum)'s order. WIDTH of them are turned, so that they are added
// beside each other.
static void NAME(sum_each)(REAL *to, const VECTOR *from, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + WIDTH <= count; i += WIDTH) {
    VECTOR square[WIDTH];
    ALL_UNROLLED
    for (int j = 0; j < WIDTH; ++j) square[j] = from[i + j];
    NAME(turn)(square);
    ALL_UNROLLED
    for (int half = WIDTH / 2; half > 0; half /= 2) {
      for (int j = 0; j < half; ++j) square[j] += square[j + half];
    }
    NAME(store)(to + i, square[0]);
  }
  for (; i < count; ++i) to[i] = NAME(sum)(from[i]);
}

// A block's numbers of a step: in the tape where it is full, else copied to `room`.
INLINE const REAL *NAME(kept_lanes)(VECTOR *room, const REAL *tape, ptrdiff_t count,
                                    ptrdiff_t lanes) {
  if (lanes == WIDTH) return tape;
  for (ptrdiff_t j = 0; j < count; ++j) room[j] = NAME(load_part)(tape + j * lanes, lanes);
  return (const REAL *)room;
}

// Up to WIDTH rows, from the last step to the first; their weight gradients go to `sums`.
static void NAME(narrow_backward)(const unroll_layer *l, const unroll_layer_gradients *g,
                                  ptrdiff_t first, ptrdiff_t lanes, REAL *sums, REAL *room) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, d = l->input;
  const ptrdiff_t steps = l->steps, columns = NAME(first_columns)(l), size = h * WIDTH;
  const ptrdiff_t met_size = 1 + d + h, many = NAME(BACK_STEPS);
  const int gru = NAME(is_gru)(l), after = l->cell == UNROLL_GRU_AFTER;
  VECTOR *met = (VECTOR *)room, *scaled = met + many * met_size, *dgates = scaled + many * h;
  VECTOR *dproducts = dgates + many * width, *gate_room = dproducts + many * h;
  VECTOR *cell_room = gate_room + width, *before_room = cell_room + h, *dh = before_room + h;
  VECTOR *dc = dh + h, *step = dc + h, *dx = step + h, *parts = dx + d;
  REAL *transposed = (REAL *)(parts + NAME(narrow_sums)(l));
  REAL *transposed_input = transposed + width * h;
  const REAL *u = l->recurrent_weights, *w = l->input_weights;
  for (ptrdiff_t j = 0; j < width; ++j) {
    for (ptrdiff_t i = 0; i < h; ++i) transposed[j * h + i] = u[i * width + j];
    for (ptrdiff_t i = 0; i < d; ++i) transposed_input[j * d + i] = w[i * width + j];
  }
  for (ptrdiff_t slot = 0; slot < many; ++slot) met[slot * met_size] = NAME(splat)(1);
  NAME(gather)(dh, (REAL *)g->hidden_gradient + first * h, h, h, lanes);
  if (l->cell == UNROLL_LSTM) {
    NAME(gather)(dc, (REAL *)g->cell_gradient + first * h, h, h, lanes);
  }
  ptrdiff_t slot = 0;
  for (ptrdiff_t position = steps - 1; position >= 0; --position) {
    const ptrdiff_t row = NAME(time_of)(l, position) * l->batch + first;
    const ptrdiff_t place = NAME(tape_place)(l, position, first, lanes);
    const NAME(step_rows) s = NAME(tape_rows)(l, position, first);
    VECTOR *x = met + slot * met_size + 1, *previous = x + d;
    VECTOR *da = dgates + slot * width, *dq = dproducts + slot * h;
    NAME(gather)(x, (const REAL *)l->inputs + row * d, d, d, lanes);
    NAME(gather)(previous, s.previous_hidden, h, h, lanes);
    const REAL *gates =
        NAME(kept_lanes)(gate_room, (const REAL *)l->gates + place * width, width, lanes);
    if (g->output_gradient) {
      NAME(gather)(step, (const REAL *)g->output_gradient + row * h, h, h, lanes);
      for (ptrdiff_t j = 0; j < h; ++j) dh[j] += step[j];
    }
    switch (l->cell) {
      case UNROLL_RNN:
        NAME(rnn_backward)((REAL *)da, (REAL *)dh, gates, size, l->relu);
        break;
      case UNROLL_GRU_BEFORE:
        for (ptrdiff_t j = 0; j < h; ++j) {
          scaled[slot * h + j] =
              NAME(load_part)((const REAL *)l->auxiliary + place * h + j * lanes, lanes);
        }
        NAME(gru_before_backward)((REAL *)da, (REAL *)dh, gates, (REAL *)previous, size);
        NAME(narrow_product)(step, da + 2 * h, transposed + 2 * h * h, h, h, h, 0,
                             NAME(FROM_ROW));
        NAME(gru_before_reset)((REAL *)da, (REAL *)dh, (REAL *)step, gates, (REAL *)previous,
                               size);
        break;
      case UNROLL_GRU_AFTER:
        NAME(gru_after_backward)(
            (REAL *)da, (REAL *)dq, (REAL *)dh, gates,
            NAME(kept_lanes)(cell_room, (const REAL *)l->auxiliary + place * h, h, lanes),
            (REAL *)previous, size);
        NAME(narrow_product)(dh, dq, transposed + 2 * h * h, h, h, h, 0, NAME(FROM_OUTPUT));
        break;
      default: {
        const REAL *cells = l->cell_states, *before = (REAL *)before_room;
        if (position > 0) {
          const ptrdiff_t earlier = NAME(tape_place)(l, position - 1, first, lanes);
          before = NAME(kept_lanes)(before_room, cells + earlier * h, h, lanes);
        } else {
          NAME(gather)(before_room, (const REAL *)l->initial_cell + first * h, h, h, lanes);
        }
        NAME(lstm_backward)((REAL *)da, (REAL *)dc, (REAL *)dh, gates,
                            NAME(kept_lanes)(cell_room, cells + place * h, h, lanes), before, 0,
                            size);
      }
    }
    // Only a GRU hands part of the gradient on beside the product.
    NAME(narrow_product)(dh, da, transposed, h, columns, h, 0,
                         gru ? NAME(FROM_OUTPUT) : NAME(FROM_ROW));
    if (g->inputs) {
      NAME(narrow_product)(dx, da, transposed_input, d, width, d, 0, NAME(FROM_ROW));
      NAME(scatter)((REAL *)g->inputs + row * d, dx, d, d, lanes);
    }
    slot += 1;
    if (slot < many && position > 0) continue;
    const int adds = position + slot < steps;
    const ptrdiff_t apart = 1 + d;  // rows of the sums before those of U
    NAME(lane_product)(parts, width, met, met_size, dgates, width, slot, adds,
                       gru ? apart : met_size, width);
    if (gru) {
      VECTOR *recurrent = parts + apart * width;
      NAME(lane_product)(recurrent, width, met + apart, met_size, dgates, width, slot, adds, h,
                         columns);
      NAME(lane_product)(recurrent + columns, width, after ? met + apart : scaled,
                         after ? met_size : h, after ? dproducts : dgates + columns,
                         after ? h : width, slot, adds, h, h);
    }
    if (after) {
      NAME(lane_product)(parts + met_size * width, h, met, met_size, dproducts, h, slot, adds, 1,
                         h);
    }
    slot = 0;
  }
  NAME(scatter)((REAL *)g->hidden_gradient + first * h, dh, h, h, lanes);
  if (l->cell == UNROLL_LSTM) {
    NAME(scatter)((REAL *)g->cell_gradient + first * h, dc, h, h, lanes);
  }
  NAME(sum_each)(sums, parts, met_size * width + (after ? h : 0));
}
