// Narrow layers in wide batches: H < WIDTH would leave most of a vector of hidden units empty, so
// a vector holds one unit of WIDTH sequences instead. Every number but the weights' gradients, which
// are summed in another order, goes through the operations of sequence.h in the same order, so the
// bits are the same; which of the two runs is a matter of speed. Masks and peepholes are left to sequence.h.

// How many sequences a turned tape has side by side (unroll_layer); 0: such a layer's is not turned.
ptrdiff_t NAME(tape_lanes)(const unroll_layer *l) {
  const int is_narrow = l->hidden < WIDTH && l->batch >= 3 && !l->active && !l->peepholes &&
                        !l->normalizes && !l->zones;
  return is_narrow ? WIDTH : 0;
}

INLINE int NAME(is_narrow)(const unroll_layer *l) {
  return NAME(tape_lanes)(l) == WIDTH && (!l->gates || l->turned_lanes == WIDTH);
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

#define NARROW_REST(COLUMNS)                                                                    \
  case COLUMNS:                                                                                 \
    NAME(narrow_tile)(out + j, a, w + j, ldw, k, start ? start + j : start, from, COLUMNS);     \
    break;

static void NAME(narrow_product)(VECTOR *out, const VECTOR *a, const REAL *w, ptrdiff_t ldw,
                                 ptrdiff_t k, ptrdiff_t n, const REAL *start, int from) {
  ptrdiff_t j = 0;
  for (; j + 8 <= n; j += 8) {
    NAME(narrow_tile)(out + j, a, w + j, ldw, k, start ? start + j : start, from, 8);
  }
  // What is left goes together, too: a chain of k multiply-adds takes as long as several side by side.
  switch (n - j) {
    NARROW_REST(1)
    NARROW_REST(2)
    NARROW_REST(3)
    NARROW_REST(4)
    NARROW_REST(5)
    NARROW_REST(6)
    NARROW_REST(7)
  }
}

// A block's numbers of a step stand in a turned tape at this place, times the numbers that a row has.
INLINE ptrdiff_t NAME(tape_place)(const unroll_layer *l, ptrdiff_t position, ptrdiff_t first,
                                  ptrdiff_t lanes) {
  return first * l->steps + NAME(time_of)(l, position) * lanes;
}

INLINE void NAME(keep_lanes)(REAL *tape, const VECTOR *from, ptrdiff_t count, ptrdiff_t lanes) {
  for (ptrdiff_t j = 0; j < count; ++j) NAME(store_part)(tape + j * lanes, from[j], lanes);
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
    const ptrdiff_t place = NAME(tape_place)(l, position, first, lanes);
    NAME(keep_lanes)((REAL *)l->gates + place * width, l->cell == UNROLL_RNN ? state : gates, width,
                     lanes);
    if (NAME(is_gru)(l)) {
      NAME(keep_lanes)((REAL *)l->auxiliary + place * h, auxiliary, h, lanes);
    } else if (l->cell == UNROLL_LSTM) {
      NAME(keep_lanes)((REAL *)l->cell_states + place * h, cell, h, lanes);
    }
  }
  if (l->final_cell) {
    NAME(scatter)((REAL *)l->final_cell + first * h, cell, h, h, lanes);
  }
}
