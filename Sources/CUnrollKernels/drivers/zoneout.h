// Zoneout (Krueger et al. 2017): with probability `rate` a unit keeps its previous state, otherwise it takes the new one.
// Without draws, each unit takes the mean of both states. An LSTM's h' is computed from c' before zoneout.

#ifndef UNROLL_ZONEOUT_H
#define UNROLL_ZONEOUT_H

#include "../arrays/dropout.h"
#include "pass.h"

enum { ZONEOUT_PIECE = 64 };

// Replaces values by previous ones where the mask says so. `first` is the index of value[0] among all numbers.
static void mix_states(real *value, const real *previous, ptrdiff_t count, const unroll_dropout *mask, int draws,
                       ptrdiff_t first) {
  if (!draws) {
    const real rate = (real)mask->rate;
    FOR_VECTORS(count, {
      const vector x = load_part(value + j, n);
      store_part(value + j, MULTIPLY_ADD(load_part(previous + j, n) - x, splat(rate), x), n);
    })
    return;
  }
  uint8_t changes[ZONEOUT_PIECE];
  for (ptrdiff_t piece = 0; piece < count; piece += ZONEOUT_PIECE) {
    const ptrdiff_t left = count - piece;
    const ptrdiff_t size = left < ZONEOUT_PIECE ? left : ZONEOUT_PIECE;
    keep_mask(changes, first + piece, size, mask);
    for (ptrdiff_t j = piece; j < piece + size; ++j) value[j] = changes[j - piece] ? value[j] : previous[j];
  }
}

// Divides a gradient: the previous state's part moves to `carried`.
static void divide_gradient(real *gradient, real *carried, ptrdiff_t count, const unroll_dropout *mask, int draws,
                            ptrdiff_t first) {
  fill(carried, 0, count);
  mix_states(carried, gradient, count, mask, draws, first);
  FOR_VECTORS(count, {
    store_part(gradient + j, load_part(gradient + j, n) - load_part(carried + j, n), n);
  })
}

static void apply_zoneout(const pass *p, const step_rows *s) {
  const unroll_layer *l = p->layer;
  const unroll_zoneout *z = &l->zoneout;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    if (!is_active(s, row)) continue;
    const ptrdiff_t hidden = row * l->state, cell = row * l->units;
    mix_states(s->hidden + hidden, s->previous_hidden + hidden, l->state, &z->hidden, z->draws,
               s->index * l->state + hidden);
    if (!has_cell_state(l)) continue;
    mix_states(s->cell + cell, s->previous_cell + cell, l->units, &z->cell, z->draws, s->index * l->units + cell);
  }
}

static void zoneout_backward(const pass *p, const step_rows *s, const step_gradients *d) {
  const unroll_layer *l = p->layer;
  const unroll_zoneout *z = &l->zoneout;
  for (ptrdiff_t row = 0; row < s->rows; ++row) {
    const ptrdiff_t hidden = row * l->state, cell = row * l->units;
    if (!is_active(s, row)) {
      fill(d->carried_hidden + hidden, 0, l->state);
      if (has_cell_state(l)) fill(d->carried_cell + cell, 0, l->units);
      continue;
    }
    divide_gradient(d->hidden + hidden, d->carried_hidden + hidden, l->state, &z->hidden, z->draws,
                    s->index * l->state + hidden);
    if (!has_cell_state(l)) continue;
    divide_gradient(d->cell + cell, d->carried_cell + cell, l->units, &z->cell, z->draws, s->index * l->units + cell);
  }
}

// An LSTM's c' of a row before zoneout.
static void unmixed_cell(real *to, const real *gates, const real *previous, ptrdiff_t h) {
  FOR_VECTORS(h, {
    const vector fresh = load_part(gates + j, n) * load_part(gates + 2 * h + j, n);
    store_part(to + j, MULTIPLY_ADD(load_part(gates + h + j, n), load_part(previous + j, n), fresh), n);
  })
}

#endif
