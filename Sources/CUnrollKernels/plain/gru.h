// The gated recurrent unit, in both variants. A row of gates is [r | z | n], each of `size`:
//
//   r = s(ar)   z = s(az)   n = f(an)   h' = (1 - z) n + z h
//   before the product:  an = x Wn + b + (r * h) Un       (`scaled` is r * h)
//   after the product:   an = x Wn + b + r * (h Un + c)   (`product` is h Un + c)

void NAME(unroll_gru_before_gates)(REAL *restrict gates, REAL *restrict scaled,
                                   const REAL *restrict previous, const uint8_t *active,
                                   ptrdiff_t rows, ptrdiff_t size, unroll_activation gate) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    REAL *r = gates + i * 3 * size, *z = r + size, *q = scaled + i * size;
    const REAL *h = previous + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(r, 3 * size);
      NAME(zero)(q, size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      r[j] = NAME(activation)(r[j], gate);
      z[j] = NAME(activation)(z[j], gate);
      q[j] = r[j] * h[j];
    }
  }
}

void NAME(unroll_gru_before_output)(REAL *restrict gates, REAL *restrict hidden,
                                    const REAL *restrict previous, const uint8_t *active,
                                    ptrdiff_t rows, ptrdiff_t size, unroll_activation candidate) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    REAL *z = gates + i * 3 * size + size, *n = z + size, *out = hidden + i * size;
    const REAL *h = previous + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(gates + i * 3 * size, 3 * size);
      NAME(copy)(out, h, size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      n[j] = NAME(activation)(n[j], candidate);
      out[j] = (1 - z[j]) * n[j] + z[j] * h[j];
    }
  }
}

// `recurrent` holds h U + c, shape [rows, 3 size].
void NAME(unroll_gru_after_forward)(REAL *restrict gates, REAL *restrict product,
                                    REAL *restrict hidden, const REAL *restrict recurrent,
                                    const REAL *restrict previous, const uint8_t *active,
                                    ptrdiff_t rows, ptrdiff_t size, unroll_activation gate,
                                    unroll_activation candidate) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    REAL *r = gates + i * 3 * size, *z = r + size, *n = z + size;
    REAL *q = product + i * size, *out = hidden + i * size;
    const REAL *ur = recurrent + i * 3 * size, *uz = ur + size, *un = uz + size;
    const REAL *h = previous + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(r, 3 * size);
      NAME(zero)(q, size);
      NAME(copy)(out, h, size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      r[j] = NAME(activation)(r[j] + ur[j], gate);
      z[j] = NAME(activation)(z[j] + uz[j], gate);
      q[j] = un[j];
      n[j] = NAME(activation)(n[j] + r[j] * q[j], candidate);
      out[j] = (1 - z[j]) * n[j] + z[j] * h[j];
    }
  }
}

// The part that both variants share: the gradients of z and n, and z's way to the previous state.
//
//   dz = dh' (h - n) s'(az)    dn = dh' (1 - z) f'(an)    dh = dh' z
void NAME(unroll_gru_backward)(REAL *restrict gate_gradient, REAL *restrict previous_gradient,
                               const REAL *restrict hidden_gradient, const REAL *restrict gates,
                               const REAL *restrict previous, const uint8_t *active,
                               ptrdiff_t rows, ptrdiff_t size, unroll_activation gate,
                               unroll_activation candidate) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    REAL *dr = gate_gradient + i * 3 * size, *dz = dr + size, *dn = dz + size;
    REAL *dprevious = previous_gradient + i * size;
    const REAL *z = gates + i * 3 * size + size, *n = z + size;
    const REAL *dh = hidden_gradient + i * size, *h = previous + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(dr, 3 * size);
      NAME(copy)(dprevious, dh, size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      dz[j] = dh[j] * (h[j] - n[j]) * NAME(slope)(z[j], gate);
      dn[j] = dh[j] * (1 - z[j]) * NAME(slope)(n[j], candidate);
      dprevious[j] = dh[j] * z[j];
    }
  }
}

// `scaled_gradient` holds d(r * h) = dn Un^T:  dr = d(r * h) h s'(ar),  dh += d(r * h) r
void NAME(unroll_gru_before_backward)(REAL *restrict gate_gradient,
                                      REAL *restrict previous_gradient,
                                      const REAL *restrict scaled_gradient,
                                      const REAL *restrict gates, const REAL *restrict previous,
                                      const uint8_t *active, ptrdiff_t rows, ptrdiff_t size,
                                      unroll_activation gate) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    if (!NAME(is_active)(active, i)) continue;
    REAL *dr = gate_gradient + i * 3 * size;
    const REAL *r = gates + i * 3 * size, *dq = scaled_gradient + i * size;
    const REAL *h = previous + i * size;
    for (ptrdiff_t j = 0; j < size; ++j) {
      dr[j] = dq[j] * h[j] * NAME(slope)(r[j], gate);
      previous_gradient[i * size + j] += dq[j] * r[j];
    }
  }
}

// dr = dn q s'(ar), and the gradient of h U + c: [dr | dz | dn r]
void NAME(unroll_gru_after_backward)(REAL *restrict gate_gradient,
                                     REAL *restrict recurrent_gradient,
                                     const REAL *restrict gates, const REAL *restrict product,
                                     const uint8_t *active, ptrdiff_t rows, ptrdiff_t size,
                                     unroll_activation gate) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    REAL *dr = gate_gradient + i * 3 * size, *dz = dr + size, *dn = dz + size;
    REAL *ur = recurrent_gradient + i * 3 * size, *uz = ur + size, *un = uz + size;
    const REAL *r = gates + i * 3 * size, *q = product + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(ur, 3 * size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      dr[j] = dn[j] * q[j] * NAME(slope)(r[j], gate);
      ur[j] = dr[j];
      uz[j] = dz[j];
      un[j] = dn[j] * r[j];
    }
  }
}
