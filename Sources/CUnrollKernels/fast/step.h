// One step of a layer for a stream: states change in place, nothing is kept. `gates` and
// `auxiliary` are scratch, [B, G H] and [B, H]; so is `scratch`, [B, G H + 2 H] and [H], where cells
// are normalised or zoned; the weights are packed. States and scratch of one sequence have room for
// whole vectors.

#if REAL_BITS == 32
// Where bfloat16 panels stand, in words. A GRU's candidate has panels of its own in W, too: weights share
// words with the same neighbours as where one sequence advances alone (single.h).
typedef struct {
  uint32_t *input, *second_input, *recurrent, *second;
} NAME(half_panels);

static NAME(half_panels) NAME(half_panels_of)(const unroll_layer *l) {
  const ptrdiff_t first = NAME(first_columns)(l), candidate = NAME(is_gru)(l) ? l->hidden : 0;
  NAME(half_panels) p;
  p.input = l->packed;
  p.second_input = p.input + NAME(half_count)(l->input, first);
  p.recurrent = p.second_input + NAME(half_count)(l->input, candidate);
  p.second = p.recurrent + NAME(half_count)(l->hidden, first);
  return p;
}

// How a layer's weights are best kept.
static int NAME(kind_of_halves)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const int found = NAME(kinds_of)(l->input_weights, l->input * width) |
                    NAME(kinds_of)(l->recurrent_weights, h * width);
  return found == NAME(HAS_LONGER) ? UNROLL_NEAREST_HALVES : UNROLL_EXACT_HALVES;
}

static void NAME(half_pack)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(half_panels) p = NAME(half_panels_of)(l);
  const REAL *w = l->input_weights, *u = l->recurrent_weights;
  const int kind = l->half_weights;
  const ptrdiff_t first = NAME(first_columns)(l), candidate = width - first;
  NAME(pack_half)(p.input, w, width, l->input, first, kind);
  NAME(pack_half)(p.second_input, w + first, width, l->input, candidate, kind);
  NAME(pack_half)(p.recurrent, u, width, h, first, kind);
  NAME(pack_half)(p.second, u + first, width, h, candidate, kind);
}

static void NAME(half_step)(const unroll_layer *l, NAME(step_rows) s) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, rows = l->batch;
  const NAME(half_panels) p = NAME(half_panels_of)(l);
  const int kind = l->half_weights;
  const ptrdiff_t first = NAME(first_columns)(l), candidate = width - first;
  NAME(half_product)(s.gates, width, l->inputs, l->input, p.input, l->input, first, rows, l->bias,
                     NAME(FROM_ROW), kind);
  NAME(half_product)(s.gates + first, width, l->inputs, l->input, p.second_input, l->input, candidate,
                     rows, (const REAL *)l->bias + first, NAME(FROM_ROW), kind);
  NAME(half_product)(s.gates, width, s.hidden, h, p.recurrent, h, first, rows, 0,
                     NAME(FROM_OUTPUT), kind);
  if (l->cell == UNROLL_GRU_AFTER) {
    NAME(half_product)(s.auxiliary, h, s.hidden, h, p.second, h, h, rows, l->candidate_bias,
                       NAME(FROM_ROW), kind);
  }
  NAME(activate_step)(l, s, rows);
  if (l->cell == UNROLL_GRU_BEFORE) {
    NAME(half_product)(s.gates + 2 * h, width, s.auxiliary, h, p.second, h, h, rows, 0,
                       NAME(FROM_OUTPUT), kind);
    NAME(finish_gru_before)(l, s, rows);
  }
}
#endif

static void NAME(stream_step)(unroll_layer *l) {
  if (NAME(is_tiny)(l)) {
    NAME(tiny_step)(l);
    return;
  }
  if (NAME(is_single)(l)) {
    NAME(single_step)(l);
    return;
  }
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  NAME(step_rows) s = {0};
  s.gates = l->gates;
  s.auxiliary = l->auxiliary;
  s.hidden = l->hidden_states;
  s.previous_hidden = s.hidden;
  s.cell = l->final_cell;
  s.previous_cell = s.cell;
#if REAL_BITS == 32
  if (l->half_weights) {
    NAME(half_step)(l, s);
    return;
  }
#endif
  const NAME(panels) p = NAME(forward_panels)(l);
  REAL *room = l->scratch;
  if (l->zones) {
    // The states before are mixed with those after: they stand aside.
    const ptrdiff_t count = l->batch * l->hidden;
    NAME(move)(room, s.hidden, count);
    s.previous_hidden = room;
    room += count;
    if (l->cell == UNROLL_LSTM) {
      NAME(move)(room, s.cell, count);
      s.previous_cell = room;
      room += count;
    }
  }
  s.normal_product = room;
  NAME(product)(s.gates, width, l->inputs, l->input, p.input, l->input, width,
                NAME(one_group)(l->batch), l->normalizes ? 0 : l->bias, NAME(FROM_ROW));
  NAME(step_forward)(l, p, s, l->batch, 0, room + (l->normalizes ? l->batch * width : 0));
}

void NAME(stack_step)(unroll_layer *layers, ptrdiff_t count) {
  const unroll_float_mode mode = unroll_flush_subnormals();
  for (ptrdiff_t i = 0; i < count; ++i) NAME(stream_step)(layers + i);
  unroll_restore_float_mode(mode);
}

ptrdiff_t NAME(stream_packed)(const unroll_layer *l) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  if (NAME(is_tiny)(l)) return NAME(tiny_count)(l);
  if (NAME(is_single)(l)) return NAME(single_count)(l);
#if REAL_BITS == 32
  if (l->half_weights) {
    const ptrdiff_t first = NAME(first_columns)(l), rows = l->input + l->hidden;
    return NAME(half_count)(rows, first) + NAME(half_count)(rows, width - first);
  }
#endif
  return l->input * NAME(padded)(width) + l->hidden * NAME(padded)(NAME(first_columns)(l)) +
         (NAME(is_gru)(l) ? l->hidden * NAME(padded)(l->hidden) : 0);
}

// Packs a layer's weights for steps: as they are, or as bfloat16.
void NAME(stream_pack)(unroll_layer *l) {
#if REAL_BITS == 32
  if (l->half_weights) l->half_weights = NAME(kind_of_halves)(l);
#endif
  if (NAME(is_tiny)(l)) {
    NAME(tiny_pack)(l);
  } else if (NAME(is_single)(l)) {
    NAME(single_pack)(l);
#if REAL_BITS == 32
  } else if (l->half_weights) {
    NAME(half_pack)(l);
#endif
  } else {
    NAME(pack_forward)(l);
  }
}
