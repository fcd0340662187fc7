// One step of a layer for a stream: states change in place, nothing is kept. `gates` and
// `auxiliary` are scratch, [B, G H] and [B, H]; so is `scratch`, [B, G H + 2 H] and [H], where cells
// are normalised or zoned; the weights are packed. States and scratch of one sequence have room for
// whole vectors.

#if REAL_BITS == 32
// Where bfloat16 panels stand: as the others, in words.
typedef struct {
  const uint32_t *input, *recurrent, *second;
} NAME(half_panels);

static NAME(half_panels) NAME(half_panels_of)(const unroll_layer *l) {
  NAME(half_panels) p;
  p.input = l->packed;
  p.recurrent = p.input + NAME(half_count)(l->input, NAME(gate_count)(l) * l->hidden);
  p.second = p.recurrent + NAME(half_count)(l->hidden, NAME(first_columns)(l));
  return p;
}

static void NAME(pack_layer_half)(unroll_layer *l) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h;
  const NAME(half_panels) p = NAME(half_panels_of)(l);
  const REAL *w = l->input_weights, *u = l->recurrent_weights;
  const int found = NAME(kinds_of)(w, l->input * width) | NAME(kinds_of)(u, h * width);
  const int kind = found == NAME(HAS_LONGER) ? UNROLL_NEAREST_HALVES : UNROLL_EXACT_HALVES;
  l->half_weights = kind;
  NAME(pack_half)((uint32_t *)p.input, w, width, l->input, width, kind);
  NAME(pack_half)((uint32_t *)p.recurrent, u, width, h, NAME(first_columns)(l), kind);
  if (NAME(is_gru)(l)) NAME(pack_half)((uint32_t *)p.second, u + 2 * h, width, h, h, kind);
}

static void NAME(half_step)(const unroll_layer *l, NAME(step_rows) s) {
  const ptrdiff_t h = l->hidden, width = NAME(gate_count)(l) * h, rows = l->batch;
  const NAME(half_panels) p = NAME(half_panels_of)(l);
  const int kind = l->half_weights;
  NAME(half_product)(s.gates, width, l->inputs, l->input, p.input, l->input, width, rows, l->bias,
                     NAME(FROM_ROW), kind);
  NAME(half_product)(s.gates, width, s.hidden, h, p.recurrent, h, NAME(first_columns)(l), rows, 0,
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

static void NAME(stream_step)(const unroll_layer *l) {
  if (NAME(is_tiny)(l)) {
    NAME(tiny_step)(l);
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

void NAME(stack_step)(const unroll_layer *layers, ptrdiff_t count) {
  const unroll_float_mode mode = unroll_flush_subnormals();
  for (ptrdiff_t i = 0; i < count; ++i) NAME(stream_step)(layers + i);
  unroll_restore_float_mode(mode);
}

ptrdiff_t NAME(stream_packed)(const unroll_layer *l) {
  const ptrdiff_t width = NAME(gate_count)(l) * l->hidden;
  if (NAME(is_tiny)(l)) return NAME(tiny_count)(l);
#if REAL_BITS == 32
  if (l->half_weights) {
    return NAME(half_count)(l->input, width) +
           NAME(half_count)(l->hidden, NAME(first_columns)(l)) +
           NAME(half_count)(l->hidden, NAME(is_gru)(l) ? l->hidden : 0);
  }
#endif
  return l->input * NAME(padded)(width) + l->hidden * NAME(padded)(NAME(first_columns)(l)) +
         (NAME(is_gru)(l) ? l->hidden * NAME(padded)(l->hidden) : 0);
}

// Packs a layer's weights for steps: as they are, or as bfloat16.
void NAME(stream_pack)(unroll_layer *l) {
#if REAL_BITS == 32
  if (l->half_weights) {
    NAME(pack_layer_half)(l);
    return;
  }
#endif
  if (NAME(is_tiny)(l)) {
    NAME(tiny_pack)(l);
  } else {
    NAME(pack_forward)(l);
  }
}
