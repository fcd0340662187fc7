// A layer's pass, cut into pieces for the pool. How it is cut changes no bit: rows of the batch are
// independent, rows and columns of a weights' gradient are, and the narrow blocks' sums are added in
// order.

typedef struct {
  const unroll_layer *layer;
  const unroll_layer_gradients *gradients;
  ptrdiff_t parts;  ///< of the rows
  ptrdiff_t room;   ///< of each part, in numbers
  /// Of the second phase, in this order.
  ptrdiff_t recurrent_parts, candidate_parts, input_parts, row_parts, gain_parts;
} NAME(pass);

INLINE ptrdiff_t NAME(block_count)(const unroll_layer *l) {
  return (l->batch + WIDTH - 1) / WIDTH;
}

// Rows that would leave most of a last block empty: where no tape is kept, sequence.h runs them.
INLINE ptrdiff_t NAME(leftover)(const unroll_layer *l) {
  const ptrdiff_t rows = l->batch % WIDTH;
  return !l->gates && rows <= WIDTH / 4 && l->batch > WIDTH ? rows : 0;
}

// Rows are not cut so thin that a tile is mostly empty.
static ptrdiff_t NAME(part_count)(const unroll_layer *l) {
  if (NAME(is_narrow)(l)) return NAME(threads_for)(l, NAME(block_count)(l));
  if (NAME(column_parts)(l) > 1) return 1;
  return NAME(threads_for)(l, (l->batch + 1) / 2);
}

// Each part's room begins on a cache line of its own.
INLINE ptrdiff_t NAME(lined)(ptrdiff_t count) {
  const ptrdiff_t line = 64 / (ptrdiff_t)sizeof(REAL);
  return (count + line - 1) / line * line;
}

static ptrdiff_t NAME(forward_part_room)(const unroll_layer *l, ptrdiff_t parts) {
  if (NAME(is_narrow)(l)) {
    const ptrdiff_t narrow = NAME(narrow_forward_room)(l);
    const ptrdiff_t wide = NAME(forward_room)(l, NAME(leftover)(l));
    return NAME(lined)(narrow > wide ? narrow : wide);
  }
  // The largest part; a chunk is longest for the smallest.
  const ptrdiff_t most = (l->batch + parts - 1) / parts, least = l->batch / parts;
  const ptrdiff_t a = NAME(forward_room)(l, most), b = NAME(forward_room)(l, least);
  return NAME(lined)(a > b ? a : b);
}

ptrdiff_t NAME(forward_scratch)(const unroll_layer *l) {
  const ptrdiff_t parts = NAME(part_count)(l);
  return parts * NAME(forward_part_room)(l, parts);
}

static void NAME(forward_part)(void *context, ptrdiff_t part) {
  const NAME(pass) *pass = context;
  const unroll_layer *l = pass->layer;
  REAL *room = (REAL *)l->scratch + part * pass->room;
  const unroll_float_mode mode = unroll_flush_subnormals();
  if (NAME(is_narrow)(l)) {
    const ptrdiff_t leftover = NAME(leftover)(l);
    const ptrdiff_t blocks = NAME(block_count)(l) - (leftover > 0);
    for (ptrdiff_t block = blocks * part / pass->parts;
         block < blocks * (part + 1) / pass->parts; ++block) {
      const ptrdiff_t first = block * WIDTH, left = l->batch - first;
      NAME(narrow_forward)(l, first, left < WIDTH ? left : WIDTH, room);
    }
    // The part with the fewest blocks is the first.
    if (leftover > 0 && part == 0) NAME(forward_rows)(l, l->batch - leftover, leftover, room, 0);
  } else {
    const ptrdiff_t first = l->batch * part / pass->parts;
    NAME(forward_rows)(l, first, l->batch * (part + 1) / pass->parts - first, room, 0);
  }
  unroll_restore_float_mode(mode);
}

void NAME(forward)(const unroll_layer *l) {
  if (!l->is_packed && (!NAME(is_narrow)(l) || NAME(leftover)(l) > 0)) NAME(pack_forward)(l);
  const ptrdiff_t columns = NAME(column_parts)(l);
  if (columns > 1) {
    NAME(shared_step) step = NAME(shared)(l, columns, NAME(forward_panels)(l));
    NAME(forward_rows)(l, 0, l->batch, l->scratch, &step);
    return;
  }
  NAME(pass) pass = {.layer = l, .parts = NAME(part_count)(l)};
  pass.room = NAME(forward_part_room)(l, pass.parts);
  unroll_parallel(pass.parts, NAME(forward_part), &pass);
}

static ptrdiff_t NAME(gradient_room)(const unroll_layer *l) {
  const ptrdiff_t k = l->input > l->hidden ? l->input : l->hidden;
  return NAME(lined)(NAME(transposed_room)(l->steps * l->batch, k));
}

// The second phase's pieces: of dU without a GRU's candidate, of the candidate's dU, of dW; rows of dx;
// kinds of gains. Every thread has as much of each, where they are large enough.
static void NAME(plan)(NAME(pass) *pass) {
  const unroll_layer *l = pass->layer;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, border = NAME(first_columns)(l);
  const ptrdiff_t pairs = l->steps * l->batch, share = NAME(threads_for)(l, pairs);
  pass->recurrent_parts = NAME(piece_count)(h, border, share);
  pass->candidate_parts = border < width ? NAME(piece_count)(h, width - border, share) : 0;
  pass->input_parts = NAME(piece_count)(l->input, width, share);
  pass->row_parts = pass->gradients->inputs ? (share < pairs / 24 ? share : pairs / 24) : 0;
  if (pass->gradients->inputs && pass->row_parts < 1) pass->row_parts = 1;
  pass->gain_parts = l->normalizes ? NAME(GAIN_PARTS) : 0;
}

ptrdiff_t NAME(backward_scratch)(const unroll_layer *l) {
  if (NAME(is_narrow)(l)) {
    return NAME(part_count)(l) * NAME(lined)(NAME(narrow_backward_room)(l)) +
           NAME(block_count)(l) * NAME(lined)(NAME(narrow_sums)(l));
  }
  const ptrdiff_t parts = NAME(part_count)(l);
  const ptrdiff_t rows = (l->batch + parts - 1) / parts;
  const ptrdiff_t first = parts * NAME(lined)(NAME(backward_room)(l, rows));
  const ptrdiff_t second = unroll_thread_count() * NAME(gradient_room)(l);
  return first > second ? first : second;
}

static void NAME(backward_part)(void *context, ptrdiff_t part) {
  const NAME(pass) *pass = context;
  const unroll_layer *l = pass->layer;
  const unroll_layer_gradients *g = pass->gradients;
  const unroll_float_mode mode = unroll_flush_subnormals();
  REAL *room = (REAL *)g->scratch + part * pass->room;
  if (NAME(is_narrow)(l)) {
    REAL *sums = (REAL *)g->scratch + pass->parts * pass->room;
    const ptrdiff_t blocks = NAME(block_count)(l);
    for (ptrdiff_t block = blocks * part / pass->parts;
         block < blocks * (part + 1) / pass->parts; ++block) {
      const ptrdiff_t first = block * WIDTH, left = l->batch - first;
      NAME(narrow_backward)(l, g, first, left < WIDTH ? left : WIDTH,
                            sums + block * NAME(lined)(NAME(narrow_sums)(l)), room);
    }
  } else {
    const ptrdiff_t first = l->batch * part / pass->parts;
    NAME(backward_rows)(l, g, first, l->batch * (part + 1) / pass->parts - first, room, 0);
  }
  unroll_restore_float_mode(mode);
}

static void NAME(gradient_part)(void *context, ptrdiff_t part) {
  const NAME(pass) *pass = context;
  const unroll_layer *l = pass->layer;
  const unroll_layer_gradients *g = pass->gradients;
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, border = NAME(first_columns)(l);
  const unroll_float_mode mode = unroll_flush_subnormals();
  REAL *room = (REAL *)g->scratch + unroll_worker_index() * NAME(gradient_room)(l);
  if (part < pass->recurrent_parts) {
    NAME(recurrent_weight_gradient)(
        l, g, NAME(piece_of)(h, 0, border, part, pass->recurrent_parts), room);
  } else if ((part -= pass->recurrent_parts) < pass->candidate_parts) {
    NAME(recurrent_weight_gradient)(
        l, g, NAME(piece_of)(h, border, width, part, pass->candidate_parts), room);
  } else if ((part -= pass->candidate_parts) < pass->input_parts) {
    NAME(input_weight_gradient)(
        l, g, NAME(piece_of)(l->input, 0, width, part, pass->input_parts), room);
  } else if ((part -= pass->input_parts) < pass->row_parts) {
    const ptrdiff_t pairs = l->steps * l->batch, first = pairs * part / pass->row_parts;
    NAME(input_gradient)(l, g, first, pairs * (part + 1) / pass->row_parts - first);
  } else {
    NAME(gain_gradients)(l, g, part - pass->row_parts);
  }
  unroll_restore_float_mode(mode);
}

void NAME(backward)(const unroll_layer *l, const unroll_layer_gradients *g) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, d = l->input;
  NAME(pass) pass = {.layer = l, .gradients = g, .parts = NAME(part_count)(l)};
  const int is_empty = l->steps == 0 || l->batch == 0;
  // Else the first product of each gradient writes it.
  if (is_empty || NAME(is_narrow)(l) || l->normalizes) {
    NAME(set)(g->bias, 0, width);
    if (g->candidate_bias) NAME(set)(g->candidate_bias, 0, h);
  }
  if (is_empty || NAME(is_narrow)(l)) {
    NAME(set)(g->input_weights, 0, d * width);
    NAME(set)(g->recurrent_weights, 0, h * width);
  }
  if (g->peepholes) NAME(set)(g->peepholes, 0, 3 * h);
  if (l->normalizes) {
    NAME(set)(g->input_gain, 0, width);
    NAME(set)(g->recurrent_gain, 0, width);
    if (g->cell_gain) NAME(set)(g->cell_gain, 0, h);
    if (g->cell_offset) NAME(set)(g->cell_offset, 0, h);
  }
  if (is_empty) return;
  if (NAME(is_narrow)(l)) {
    pass.room = NAME(lined)(NAME(narrow_backward_room)(l));
    unroll_parallel(pass.parts, NAME(backward_part), &pass);
    const REAL *sums = (REAL *)g->scratch + pass.parts * pass.room;
    const unroll_float_mode mode = unroll_flush_subnormals();
    for (ptrdiff_t block = 0; block < NAME(block_count)(l); ++block) {
      NAME(add)(g->bias, sums, width);
      NAME(add)(g->input_weights, sums + width, d * width);
      NAME(add)(g->recurrent_weights, sums + (1 + d) * width, h * width);
      if (g->candidate_bias) NAME(add)(g->candidate_bias, sums + (1 + d + h) * width, h);
      sums += NAME(lined)(NAME(narrow_sums)(l));
    }
    unroll_restore_float_mode(mode);
    return;
  }
  NAME(pack_layer)(l, g);
  pass.room = NAME(lined)(NAME(backward_room)(l, (l->batch + pass.parts - 1) / pass.parts));
  const ptrdiff_t columns = NAME(column_parts)(l);
  if (columns > 1) {
    NAME(shared_step) step = NAME(shared)(l, columns, NAME(backward_panels)(l, g->packed));
    NAME(backward_rows)(l, g, 0, l->batch, g->scratch, &step);
  } else {
    unroll_parallel(pass.parts, NAME(backward_part), &pass);
  }
  if (g->peepholes) {
    const unroll_float_mode mode = unroll_flush_subnormals();
    NAME(peephole_gradient)(l, g, g->scratch);
    unroll_restore_float_mode(mode);
  }
  NAME(plan)(&pass);
  unroll_parallel(
      pass.recurrent_parts + pass.candidate_parts + pass.input_parts + pass.row_parts +
          pass.gain_parts,
      NAME(gradient_part), &pass);
}
