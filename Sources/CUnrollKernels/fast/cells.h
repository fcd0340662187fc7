// The cells between their products, for rows of `size` units; the equations stand beside the
// plain twins, in plain/rnn.h, gru.h and lstm.h. Here the functions are tanh and sigmoid (the
// basic cell may have relu), nothing is clipped, and nothing is projected.

#define LOAD(row) NAME(load_part)((row) + j, n)
#define STORE(row, value) NAME(store_part)((row) + j, value, n)

// From the argument to the state; a tape (null: none) keeps the same numbers.
static void NAME(rnn_forward)(const REAL *argument, REAL *gates, REAL *hidden, ptrdiff_t size,
                              int relu) {
  FOR_VECTORS(size, {
    const VECTOR a = LOAD(argument);
    const VECTOR h = relu ? (a < 0 ? NAME(splat)(0) : a) : NAME(tanh)(a);
    if (gates) STORE(gates, h);
    STORE(hidden, h);
  })
}

static void NAME(rnn_backward)(REAL *gate_gradient, const REAL *hidden_gradient,
                               const REAL *gates, ptrdiff_t size, int relu) {
  FOR_VECTORS(size, {
    const VECTOR h = LOAD(gates);
    const VECTOR slope = relu ? (h > 0 ? NAME(splat)(1) : NAME(splat)(0)) : 1 - h * h;
    STORE(gate_gradient, LOAD(hidden_gradient) * slope);
  })
}

// [r | z | n]; `scaled` = r * h.
static void NAME(gru_before_gates)(REAL *gates, REAL *scaled, const REAL *previous,
                                   ptrdiff_t size) {
  FOR_VECTORS(size, {
    VECTOR s[] = {LOAD(gates), LOAD(gates + size)};
    NAME(sigmoids)(s, 2);
    const VECTOR r = s[0], z = s[1];
    STORE(gates, r);
    STORE(gates + size, z);
    STORE(scaled, r * LOAD(previous));
  })
}

static void NAME(gru_before_output)(REAL *gates, REAL *hidden, const REAL *previous,
                                    ptrdiff_t size) {
  FOR_VECTORS(size, {
    const VECTOR z = LOAD(gates + size);
    const VECTOR c = NAME(tanh)(LOAD(gates + 2 * size));
    STORE(gates + 2 * size, c);
    STORE(hidden, MULTIPLY_ADD(z, LOAD(previous), (1 - z) * c));
  })
}

// `product` = h Un + cn. Two loops, like the LSTM's.
static void NAME(gru_after_forward)(REAL *gates, const REAL *product, REAL *hidden,
                                    const REAL *previous, ptrdiff_t size) {
  FOR_VECTORS(size, {
    VECTOR s[] = {LOAD(gates), LOAD(gates + size)};
    NAME(sigmoids)(s, 2);
    STORE(gates, s[0]);
    STORE(gates + size, s[1]);
  })
  FOR_VECTORS(size, {
    const VECTOR z = LOAD(gates + size);
    const VECTOR a = MULTIPLY_ADD(LOAD(gates), LOAD(product), LOAD(gates + 2 * size));
    const VECTOR c = NAME(tanh)(a);
    STORE(gates + 2 * size, c);
    STORE(hidden, MULTIPLY_ADD(z, LOAD(previous), (1 - z) * c));
  })
}

// The gradients of z and n, and z's way to the previous state, in place of dh'.
INLINE void NAME(gru_backward_units)(REAL *gate_gradient, REAL *hidden_gradient,
                                     const REAL *gates, const REAL *previous, ptrdiff_t size,
                                     ptrdiff_t j, ptrdiff_t n) {
  const VECTOR dh = LOAD(hidden_gradient);
  const VECTOR z = LOAD(gates + size);
  const VECTOR c = LOAD(gates + 2 * size);
  STORE(gate_gradient + size, dh * (LOAD(previous) - c) * (z * (1 - z)));
  STORE(gate_gradient + 2 * size, dh * (1 - z) * (1 - c * c));
  STORE(hidden_gradient, dh * z);
}

static void NAME(gru_before_backward)(REAL *gate_gradient, REAL *hidden_gradient,
                                      const REAL *gates, const REAL *previous, ptrdiff_t size) {
  FOR_VECTORS(size, {
    NAME(gru_backward_units)(gate_gradient, hidden_gradient, gates, previous, size, j, n);
  })
}

// `scaled_gradient` = d(r * h) = dn Un^T.
static void NAME(gru_before_reset)(REAL *gate_gradient, REAL *hidden_gradient,
                                   const REAL *scaled_gradient, const REAL *gates,
                                   const REAL *previous, ptrdiff_t size) {
  FOR_VECTORS(size, {
    const VECTOR r = LOAD(gates);
    const VECTOR dq = LOAD(scaled_gradient);
    STORE(gate_gradient, dq * LOAD(previous) * (r * (1 - r)));
    STORE(hidden_gradient, MULTIPLY_ADD(dq, r, LOAD(hidden_gradient)));
  })
}

// `product_gradient` = d(h Un + cn) = dn r.
static void NAME(gru_after_backward)(REAL *gate_gradient, REAL *product_gradient,
                                     REAL *hidden_gradient, const REAL *gates,
                                     const REAL *product, const REAL *previous, ptrdiff_t size) {
  FOR_VECTORS(size, {
    NAME(gru_backward_units)(gate_gradient, hidden_gradient, gates, previous, size, j, n);
    const VECTOR r = LOAD(gates);
    const VECTOR dn = LOAD(gate_gradient + 2 * size);
    STORE(gate_gradient, dn * LOAD(product) * (r * (1 - r)));
    STORE(product_gradient, dn * r);
  })
}

// i, f, g and c' of a row.
INLINE void NAME(lstm_cell)(REAL *gates, REAL *cell, const REAL *previous, const REAL *peepholes,
                            ptrdiff_t size, REAL forget_offset) {
  FOR_VECTORS(size, {
    const VECTOR before = LOAD(previous);
    VECTOR ai = LOAD(gates);
    VECTOR af = LOAD(gates + size) + forget_offset;
    if (peepholes) {
      ai = MULTIPLY_ADD(LOAD(peepholes), before, ai);
      af = MULTIPLY_ADD(LOAD(peepholes + size), before, af);
    }
    VECTOR s[] = {ai, af};
    NAME(sigmoids)(s, 2);
    const VECTOR i = s[0], f = s[1];
    const VECTOR g = NAME(tanh)(LOAD(gates + 2 * size));
    STORE(gates, i);
    STORE(gates + size, f);
    STORE(gates + 2 * size, g);
    STORE(cell, MULTIPLY_ADD(f, before, i * g));
  })
}

// o and h' of a row.
INLINE void NAME(lstm_output)(REAL *gates, const REAL *cell, REAL *hidden, const REAL *peepholes,
                              ptrdiff_t size) {
  FOR_VECTORS(size, {
    const VECTOR c = LOAD(cell);
    VECTOR ao = LOAD(gates + 3 * size);
    if (peepholes) ao = MULTIPLY_ADD(LOAD(peepholes + 2 * size), c, ao);
    const VECTOR o = NAME(sigmoid)(ao);
    STORE(gates + 3 * size, o);
    if (hidden) STORE(hidden, o * NAME(tanh)(c));
  })
}

// Rows of [i | f | g | o]; peepholes p of i, f and o, or null; so is `hidden` where something else shows
// c'. A loop for the cells and one for the outputs keep more of the tables in registers and have shorter
// chains than one for all; so few rows at a time stay near.
static void NAME(lstm_forward)(REAL *gates, REAL *cell, REAL *hidden, const REAL *previous,
                               const REAL *peepholes, ptrdiff_t size, REAL forget_offset,
                               ptrdiff_t rows) {
  enum { NEAR_UNITS = 512 };
  const ptrdiff_t most = size < NEAR_UNITS ? NEAR_UNITS / (size > 0 ? size : 1) : 1;
  for (ptrdiff_t first = 0; first < rows; first += most) {
    const ptrdiff_t last = rows - first < most ? rows : first + most;
    for (ptrdiff_t row = first; row < last; ++row) {
      NAME(lstm_cell)(gates + row * 4 * size, cell + row * size, previous + row * size, peepholes,
                      size, forget_offset);
    }
    for (ptrdiff_t row = first; row < last; ++row) {
      NAME(lstm_output)(gates + row * 4 * size, cell + row * size, hidden ? hidden + row * size : 0,
                        peepholes, size);
    }
  }
}

// On entry `cell_gradient` is dc', on exit dc.
static void NAME(lstm_backward)(REAL *gate_gradient, REAL *cell_gradient,
                                const REAL *hidden_gradient, const REAL *gates,
                                const REAL *cell, const REAL *previous, const REAL *peepholes,
                                ptrdiff_t size) {
  FOR_VECTORS(size, {
    const VECTOR i = LOAD(gates);
    const VECTOR f = LOAD(gates + size);
    const VECTOR g = LOAD(gates + 2 * size);
    const VECTOR o = LOAD(gates + 3 * size);
    const VECTOR u = NAME(tanh)(LOAD(cell));
    const VECTOR dm = LOAD(hidden_gradient);
    const VECTOR dout = dm * u * (o * (1 - o));
    VECTOR dc = MULTIPLY_ADD(dm * o, 1 - u * u, LOAD(cell_gradient));
    if (peepholes) dc = MULTIPLY_ADD(dout, LOAD(peepholes + 2 * size), dc);
    const VECTOR di = dc * g * (i * (1 - i));
    const VECTOR df = dc * LOAD(previous) * (f * (1 - f));
    STORE(gate_gradient, di);
    STORE(gate_gradient + size, df);
    STORE(gate_gradient + 2 * size, dc * i * (1 - g * g));
    STORE(gate_gradient + 3 * size, dout);
    VECTOR before = dc * f;
    if (peepholes) {
      before = MULTIPLY_ADD(di, LOAD(peepholes), before);
      before = MULTIPLY_ADD(df, LOAD(peepholes + size), before);
    }
    STORE(cell_gradient, before);
  })
}

#undef LOAD
#undef STORE
