// One sequence through a layer of up to two vectors of units: the whole step in registers. Every
// gate has vectors of its own, padded with 0, so that nothing is masked and no gate passes through
// memory; states have room for whole vectors. The chains are those of product.h, in the same
// order: the bits are the same.

INLINE int NAME(is_tiny)(const unroll_layer *l) {
  return l->batch == 1 && l->hidden <= 2 * WIDTH && !l->peepholes && !l->half_weights &&
         !l->normalizes && !l->zones;
}

// Biases (the candidate's second one last), then W and U row by row, gate by gate.
static ptrdiff_t NAME(tiny_count)(const unroll_layer *l) {
  return NAME(padded)(l->hidden) * ((l->input + l->hidden + 1) * NAME(gate_count)(l) + 1);
}

static void NAME(tiny_pack)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, wide = NAME(padded)(h), gates = NAME(gate_count)(l);
  REAL *to = l->packed;
  const REAL *rows[2] = {l->input_weights, l->recurrent_weights};
  const ptrdiff_t counts[2] = {l->input, h};
  NAME(set)(to, 0, NAME(tiny_count)(l));
  for (ptrdiff_t g = 0; g < gates; ++g) NAME(move)(to + g * wide, (REAL *)l->bias + g * h, h);
  if (l->candidate_bias) NAME(move)(to + gates * wide, l->candidate_bias, h);
  to += (gates + 1) * wide;
  for (int part = 0; part < 2; ++part) {
    for (ptrdiff_t i = 0; i < counts[part] * gates; ++i) {
      NAME(move)(to, rows[part] + i * h, h);
      to += wide;
    }
  }
}

// sums[count] += a[k] w, for `count` neighbouring vectors of a row of w; rows are `step` vectors.
INLINE void NAME(tiny_chain)(VECTOR *sums, const REAL *a, ptrdiff_t k, const REAL *w,
                             const int count, const int step) {
  for (ptrdiff_t p = 0; p < k; ++p) {
    const VECTOR factor = NAME(splat)(a[p]);
    for (int v = 0; v < count; ++v) {
      sums[v] = MULTIPLY_ADD(factor, NAME(load)(w + v * WIDTH), sums[v]);
    }
    w += step * WIDTH;
  }
}

INLINE void NAME(tiny_cell)(const unroll_layer *l, const int cell, const int vectors) {
  const int gates = cell == UNROLL_RNN ? 1 : cell == UNROLL_LSTM ? 4 : 3;
  const int count = gates * vectors;
  const REAL *bias = l->packed, *w = bias + (count + vectors) * WIDTH;
  const REAL *u = w + l->input * count * WIDTH;
  REAL *state = l->hidden_states;
  VECTOR a[8], q[2];
  for (int v = 0; v < count; ++v) a[v] = NAME(load)(bias + v * WIDTH);
  NAME(tiny_chain)(a, l->inputs, l->input, w, count, count);
  if (cell == UNROLL_RNN) {
    NAME(tiny_chain)(a, state, l->hidden, u, count, count);
    for (int v = 0; v < vectors; ++v) {
      NAME(store)(state + v * WIDTH,
                  l->relu ? (a[v] < 0 ? NAME(splat)(0) : a[v]) : NAME(tanh)(a[v]));
    }
  } else if (cell == UNROLL_LSTM) {
    REAL *cells = l->final_cell;
    NAME(tiny_chain)(a, state, l->hidden, u, count, count);
    for (int v = 0; v < vectors; ++v) {
      const VECTOR i = NAME(sigmoid)(a[v]);
      const VECTOR f = NAME(sigmoid)(a[vectors + v] + (REAL)l->forget_offset);
      const VECTOR g = NAME(tanh)(a[2 * vectors + v]);
      const VECTOR o = NAME(sigmoid)(a[3 * vectors + v]);
      const VECTOR c = MULTIPLY_ADD(f, NAME(load)(cells + v * WIDTH), i * g);
      NAME(store)(cells + v * WIDTH, c);
      NAME(store)(state + v * WIDTH, o * NAME(tanh)(c));
    }
  } else {
    VECTOR h[2], z[2];
    const REAL *candidate = u + 2 * vectors * WIDTH;
    for (int v = 0; v < vectors; ++v) h[v] = NAME(load)(state + v * WIDTH);
    NAME(tiny_chain)(a, state, l->hidden, u, 2 * vectors, count);
    if (cell == UNROLL_GRU_AFTER) {
      for (int v = 0; v < vectors; ++v) q[v] = NAME(load)(bias + (count + v) * WIDTH);
      NAME(tiny_chain)(q, state, l->hidden, candidate, vectors, count);
    }
    for (int v = 0; v < vectors; ++v) {
      const VECTOR r = NAME(sigmoid)(a[v]);
      z[v] = NAME(sigmoid)(a[vectors + v]);
      if (cell == UNROLL_GRU_AFTER) {
        a[2 * vectors + v] = MULTIPLY_ADD(r, q[v], a[2 * vectors + v]);
      } else {
        NAME(store)((REAL *)l->auxiliary + v * WIDTH, r * h[v]);
      }
    }
    if (cell == UNROLL_GRU_BEFORE) {
      NAME(tiny_chain)(a + 2 * vectors, l->auxiliary, l->hidden, candidate, vectors, count);
    }
    for (int v = 0; v < vectors; ++v) {
      const VECTOR c = NAME(tanh)(a[2 * vectors + v]);
      NAME(store)(state + v * WIDTH, MULTIPLY_ADD(z[v], h[v], (1 - z[v]) * c));
    }
  }
}

#define TINY_CELL(CELL)                                                     \
  static void NAME(tiny_of_##CELL)(const unroll_layer *l) {                    \
    if (l->hidden <= WIDTH) NAME(tiny_cell)(l, UNROLL_##CELL, 1);           \
    else NAME(tiny_cell)(l, UNROLL_##CELL, 2);                              \
  }
TINY_CELL(RNN)
TINY_CELL(GRU_BEFORE)
TINY_CELL(GRU_AFTER)
TINY_CELL(LSTM)
#undef TINY_CELL

static void NAME(tiny_step)(const unroll_layer *l) {
  switch (l->cell) {
    case UNROLL_RNN: NAME(tiny_of_RNN)(l); break;
    case UNROLL_GRU_BEFORE: NAME(tiny_of_GRU_BEFORE)(l); break;
    case UNROLL_GRU_AFTER: NAME(tiny_of_GRU_AFTER)(l); break;
    default: NAME(tiny_of_LSTM)(l);
  }
}
