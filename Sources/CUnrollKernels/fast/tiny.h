// One sequence through a layer of up to two vectors of units: the whole step in registers. Every
// gate has vectors of its own, padded with 0, so that nothing is masked and no gate passes through
// memory; two gates share a vector where it has room for both, and their functions with it. States have
// room for whole vectors. The chains are those of product.h, in the same order: the bits are the same.

INLINE int NAME(is_tiny)(const unroll_layer *l) {
  return l->batch == 1 && l->hidden <= 2 * WIDTH && !l->peepholes && !l->half_weights &&
         !l->normalizes && !l->zones;
}

// Whether two gates share a vector.
INLINE int NAME(is_paired)(const unroll_layer *l) {
  return l->cell != UNROLL_RNN && l->hidden <= WIDTH / 2;
}

// From a gate to the next one, and of a row of all gates.
INLINE ptrdiff_t NAME(tiny_gate)(const unroll_layer *l) {
  return NAME(is_paired)(l) ? WIDTH / 2 : NAME(padded)(l->hidden);
}

INLINE ptrdiff_t NAME(tiny_row)(const unroll_layer *l) {
  return NAME(padded)(NAME(gate_count)(l) * NAME(tiny_gate)(l));
}

// Biases (the candidate's second one last), then W and U row by row, gate by gate.
static ptrdiff_t NAME(tiny_count)(const unroll_layer *l) {
  return NAME(tiny_row)(l) * (l->input + l->hidden + 1) + NAME(padded)(l->hidden);
}

static void NAME(tiny_pack)(const unroll_layer *l) {
  const ptrdiff_t h = l->hidden, gates = NAME(gate_count)(l), step = NAME(tiny_gate)(l);
  const ptrdiff_t wide = NAME(tiny_row)(l);
  REAL *to = l->packed;
  const REAL *rows[3] = {l->bias, l->input_weights, l->recurrent_weights};
  const ptrdiff_t counts[3] = {1, l->input, h};
  NAME(set)(to, 0, NAME(tiny_count)(l));
  for (int part = 0; part < 3; ++part) {
    for (ptrdiff_t i = 0; i < counts[part]; ++i, to += wide) {
      for (ptrdiff_t g = 0; g < gates; ++g) {
        NAME(move)(to + g * step, rows[part] + (i * gates + g) * h, h);
      }
    }
    if (part > 0) continue;
    if (l->candidate_bias) NAME(move)(to, l->candidate_bias, h);
    to += NAME(padded)(h);
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
      VECTOR s[] = {a[v], a[vectors + v] + (REAL)l->forget_offset, a[3 * vectors + v]};
      NAME(sigmoids)(s, 3);
      const VECTOR g = NAME(tanh)(a[2 * vectors + v]);
      const VECTOR c = MULTIPLY_ADD(s[1], NAME(load)(cells + v * WIDTH), s[0] * g);
      NAME(store)(cells + v * WIDTH, c);
      NAME(store)(state + v * WIDTH, s[2] * NAME(tanh)(c));
    }
  } else {
    VECTOR h[2];
    const REAL *candidate = u + 2 * vectors * WIDTH;
    for (int v = 0; v < vectors; ++v) h[v] = NAME(load)(state + v * WIDTH);
    NAME(tiny_chain)(a, state, l->hidden, u, 2 * vectors, count);
    if (cell == UNROLL_GRU_AFTER) {
      for (int v = 0; v < vectors; ++v) q[v] = NAME(load)(bias + (count + v) * WIDTH);
      NAME(tiny_chain)(q, state, l->hidden, candidate, vectors, count);
    }
    NAME(sigmoids)(a, 2 * vectors);
    const VECTOR *z = a + vectors;
    for (int v = 0; v < vectors; ++v) {
      const VECTOR r = a[v];
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

// The upper half of a vector, in the lower one.
INLINE VECTOR NAME(upper)(VECTOR value) {
  value.lo = value.hi;
  return value;
}

// Gates in pairs: [i | f] and [g | o], or [r | z] and n. Upper halves that are nobody's hold any numbers.
INLINE void NAME(paired_cell)(const unroll_layer *l, const int cell) {
  const REAL *bias = l->packed, *w = bias + 3 * WIDTH, *u = w + l->input * 2 * WIDTH;
  REAL *state = l->hidden_states;
  VECTOR a[2] = {NAME(load)(bias), NAME(load)(bias + WIDTH)};
  NAME(tiny_chain)(a, l->inputs, l->input, w, 2, 2);
  if (cell == UNROLL_LSTM) {
    REAL *cells = l->final_cell;
    NAME(tiny_chain)(a, state, l->hidden, u, 2, 2);
    VECTOR forget = NAME(splat)((REAL)l->forget_offset);
    forget.lo = 0;
    VECTOR s[] = {a[0] + forget, NAME(upper)(a[1])};
    NAME(sigmoids)(s, 2);
    const VECTOR g = NAME(tanh)(a[1]);
    const VECTOR c = MULTIPLY_ADD(NAME(upper)(s[0]), NAME(load)(cells), s[0] * g);
    NAME(store)(cells, c);
    NAME(store)(state, s[1] * NAME(tanh)(c));
    return;
  }
  const VECTOR h = NAME(load)(state);
  VECTOR q = NAME(load)(bias + 2 * WIDTH);
  NAME(tiny_chain)(a, state, l->hidden, u, 1, 2);
  if (cell == UNROLL_GRU_AFTER) NAME(tiny_chain)(&q, state, l->hidden, u + WIDTH, 1, 2);
  const VECTOR r = NAME(sigmoid)(a[0]), z = NAME(upper)(r);
  if (cell == UNROLL_GRU_AFTER) {
    a[1] = MULTIPLY_ADD(r, q, a[1]);
  } else {
    NAME(store)(l->auxiliary, r * h);
    NAME(tiny_chain)(a + 1, l->auxiliary, l->hidden, u + WIDTH, 1, 2);
  }
  NAME(store)(state, MULTIPLY_ADD(z, h, (1 - z) * NAME(tanh)(a[1])));
}

#define TINY_CELL(CELL)                                                     \
  static void NAME(tiny_of_##CELL)(const unroll_layer *l) {                 \
    if (NAME(is_paired)(l)) NAME(paired_cell)(l, UNROLL_##CELL);            \
    else if (l->hidden <= WIDTH) NAME(tiny_cell)(l, UNROLL_##CELL, 1);      \
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
