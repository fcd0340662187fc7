// The basic recurrent cell. On entry `gates` holds a = x W + b + h U; on exit f(a).
//
//   h' = f(a)          da = dh' * f'(a)

void NAME(unroll_rnn_forward)(REAL *restrict gates, REAL *restrict hidden,
                              const REAL *restrict previous, const uint8_t *active, ptrdiff_t rows,
                              ptrdiff_t size, unroll_activation function) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    REAL *a = gates + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(a, size);
      NAME(copy)(hidden + i * size, previous + i * size, size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      a[j] = NAME(activation)(a[j], function);
      hidden[i * size + j] = a[j];
    }
  }
}

// `previous_gradient` receives what does not pass through U: nothing for an active row, the
// whole gradient for a row whose state was carried.
void NAME(unroll_rnn_backward)(REAL *restrict gate_gradient, REAL *restrict previous_gradient,
                               const REAL *restrict hidden_gradient, const REAL *restrict gates,
                               const uint8_t *active, ptrdiff_t rows, ptrdiff_t size,
                               unroll_activation function) {
  for (ptrdiff_t i = 0; i < rows; ++i) {
    const REAL *dh = hidden_gradient + i * size;
    if (!NAME(is_active)(active, i)) {
      NAME(zero)(gate_gradient + i * size, size);
      NAME(copy)(previous_gradient + i * size, dh, size);
      continue;
    }
    NAME(zero)(previous_gradient + i * size, size);
    for (ptrdiff_t j = 0; j < size; ++j) {
      gate_gradient[i * size + j] = dh[j] * NAME(slope)(gates[i * size + j], function);
    }
  }
}
