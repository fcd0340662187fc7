// Zoneout (Krueger et al. 2017): some units keep the state that they had; what they would have
// become counts for the others. Without draws every unit mixes both by the rate, which is the mean.
//
// LSTM: h~ comes from the cell state before it is mixed.

enum { NAME(ZONE_PIECE) = 64 };

// value becomes before where the mask says so. `first` is the index of value[0] among all numbers.
static void NAME(zone)(REAL *value, const REAL *before, ptrdiff_t count,
                       const unroll_dropout *mask, int draws, ptrdiff_t first) {
  if (!draws) {
    const REAL rate = (REAL)mask->rate;
    FOR_VECTORS(count, {
      const VECTOR x = NAME(load_part)(value + j, n);
      NAME(store_part)(value + j, MULTIPLY_ADD(NAME(load_part)(before + j, n) - x,
                                               NAME(splat)(rate), x), n);
    })
    return;
  }
  uint8_t kept[NAME(ZONE_PIECE)];
  for (ptrdiff_t piece = 0; piece < count; piece += NAME(ZONE_PIECE)) {
    const ptrdiff_t left = count - piece;
    const ptrdiff_t size = left < NAME(ZONE_PIECE) ? left : NAME(ZONE_PIECE);
    NAME(mask)(kept, first + piece, size, mask);
    for (ptrdiff_t j = piece; j < piece + size; ++j) {
      value[j] = kept[j - piece] ? value[j] : before[j];
    }
  }
}

// The gradient is parted: what goes straight to the state before is moved to `carried`.
static void NAME(zone_backward)(REAL *gradient, REAL *carried, ptrdiff_t count,
                                const unroll_dropout *mask, int draws, ptrdiff_t first) {
  NAME(set)(carried, 0, count);
  NAME(zone)(carried, gradient, count, mask, draws, first);
  FOR_VECTORS(count, {
    NAME(store_part)(gradient + j,
                     NAME(load_part)(gradient + j, n) - NAME(load_part)(carried + j, n), n);
  })
}

// Both states of the active rows; `index` counts the rows of the steps before.
static void NAME(zone_states)(const unroll_layer *l, NAME(step_rows) s, ptrdiff_t rows,
                              ptrdiff_t index) {
  const ptrdiff_t h = l->hidden;
  const unroll_zoneout *z = &l->zoneout;
  for (ptrdiff_t row = 0; row < rows; ++row) {
    if (s.active && !s.active[row]) continue;
    const ptrdiff_t at = row * h, first = (index + row) * h;
    NAME(zone)(s.hidden + at, s.previous_hidden + at, h, &z->hidden, z->draws, first);
    if (l->cell != UNROLL_LSTM) continue;
    NAME(zone)(s.cell + at, s.previous_cell + at, h, &z->cell, z->draws, first);
  }
}

// The cell state of a row before it was mixed.
static void NAME(unmixed_cell)(REAL *to, const REAL *gates, const REAL *previous, ptrdiff_t h) {
  FOR_VECTORS(h, {
    const VECTOR fresh = NAME(load_part)(gates + j, n) * NAME(load_part)(gates + 2 * h + j, n);
    NAME(store_part)(to + j,
                     MULTIPLY_ADD(NAME(load_part)(gates + h + j, n),
                                  NAME(load_part)(previous + j, n), fresh), n);
  })
}
