// The long short-term memory. A row of gates is [i | f | g | o], each of `size`; p are peepholes
// [i | f | o] or null.
//
//   i = s(ai + pi c)   f = s(af + offset + pf c)   g = t(ag)
//   c' = clip(f c + i g)   o = s(ao + po c')   m = o u(c')

void NAME(unroll_lstm_forward)(REAL *restrict gates, REAL *restrict cell, REAL *restrict output,
                               const REAL *restrict previous_cell, const REAL *restrict peepholes,
                               const uint8_t *active, ptrdiff_t rows, ptrdiff_t size,
                               const unroll_lstm_options *options) {
  const REAL offset = (REAL)options->forget_offset, limit = (REAL)options->cell_clip;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    REAL *i = gates + row * 4 * size, *f = i + size, *g = f + size, *o = g + size;
    REAL *c = cell + row * size, *m = output + row * size;
    const REAL *before = previous_cell + row * size;
    if (!NAME(is_active)(active, row)) {
      NAME(zero)(i, 4 * size);
      NAME(copy)(c, before, size);
      NAME(zero)(m, size);
      continue;
    }
    for (ptrdiff_t j = 0; j < size; ++j) {
      REAL ai = i[j], af = f[j] + offset, ao = o[j];
      if (peepholes) {
        ai += peepholes[j] * before[j];
        af += peepholes[size + j] * before[j];
      }
      i[j] = NAME(activation)(ai, options->gate);
      f[j] = options->coupled ? 1 - i[j] : NAME(activation)(af, options->gate);
      g[j] = NAME(activation)(g[j], options->candidate);
      REAL new = f[j] * before[j] + i[j] * g[j];
      if (limit > 0) new = new > limit ? limit : new < -limit ? -limit : new;
      if (peepholes) ao += peepholes[2 * size + j] * new;
      o[j] = NAME(activation)(ao, options->gate);
      c[j] = new;
      m[j] = o[j] * NAME(activation)(new, options->output);
    }
  }
}

// On entry `cell_gradient` is dc', on exit dc. `peephole_gradient` accumulates.
void NAME(unroll_lstm_backward)(REAL *restrict gate_gradient, REAL *restrict cell_gradient,
                                REAL *restrict peephole_gradient,
                                const REAL *restrict output_gradient, const REAL *restrict gates,
                                const REAL *restrict cell, const REAL *restrict previous_cell,
                                const REAL *restrict peepholes, const uint8_t *active,
                                ptrdiff_t rows, ptrdiff_t size,
                                const unroll_lstm_options *options) {
  const REAL limit = (REAL)options->cell_clip;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    REAL *di = gate_gradient + row * 4 * size, *df = di + size, *dg = df + size, *dout = dg + size;
    if (!NAME(is_active)(active, row)) {
      NAME(zero)(di, 4 * size);
      continue;
    }
    const REAL *i = gates + row * 4 * size, *f = i + size, *g = f + size, *o = g + size;
    const REAL *c = cell + row * size, *before = previous_cell + row * size;
    const REAL *dm = output_gradient + row * size;
    REAL *dc = cell_gradient + row * size;
    for (ptrdiff_t j = 0; j < size; ++j) {
      const REAL u = NAME(activation)(c[j], options->output);
      REAL dnew = dc[j] + dm[j] * o[j] * NAME(slope)(u, options->output);
      dout[j] = dm[j] * u * NAME(slope)(o[j], options->gate);
      if (peepholes) {
        dnew += dout[j] * peepholes[2 * size + j];
        peephole_gradient[2 * size + j] += dout[j] * c[j];
      }
      if (limit > 0 && (c[j] >= limit || c[j] <= -limit)) dnew = 0;
      REAL input = dnew * g[j];
      if (options->coupled) {
        input -= dnew * before[j];
        df[j] = 0;
      } else {
        df[j] = dnew * before[j] * NAME(slope)(f[j], options->gate);
      }
      di[j] = input * NAME(slope)(i[j], options->gate);
      dg[j] = dnew * i[j] * NAME(slope)(g[j], options->candidate);
      REAL dbefore = dnew * f[j];
      if (peepholes) {
        dbefore += di[j] * peepholes[j] + df[j] * peepholes[size + j];
        peephole_gradient[j] += di[j] * before[j];
        peephole_gradient[size + j] += df[j] * before[j];
      }
      dc[j] = dbefore;
    }
  }
}
