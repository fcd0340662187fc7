// One sequence through a layer of at most two vectors of units. The gates of a step stay in registers. Gates are padded
// with zeros to whole or half vectors, and states have space for whole vectors, so that no load or store is masked. The
// chains of multiply-adds are those of ../products/product.h, in the same order: the bits are the same.

#ifndef UNROLL_REGISTERS_H
#define UNROLL_REGISTERS_H

#include "stages.h"

static void pack_registers(const pass *p, real *packed) {
  const unroll_layer *l = p->layer;
  const registers_layout at = layout_of_registers(l, WIDTH);
  const ptrdiff_t h = l->units, gates = unroll_cell_of(l->cell).gates;
  fill(packed + at.input, 0, at.count - at.input);
  const real *rows[2] = {p->weights->input, p->weights->recurrent};
  const ptrdiff_t counts[2] = {l->input, l->state};
  real *to = packed + at.input;
  for (int matrix = 0; matrix < 2; ++matrix) {
    for (ptrdiff_t i = 0; i < counts[matrix]; ++i, to += at.row) {
      for (ptrdiff_t g = 0; g < gates; ++g) copy(to + g * at.gate, rows[matrix] + (i * gates + g) * h, h);
    }
  }
}

// sums[count] += a[k] w, for `count` neighbouring vectors of a row of w; rows are `width` vectors.
INLINE void chain(vector *sums, const real *a, ptrdiff_t k, const real *w, const int count, const int width) {
  for (ptrdiff_t row = 0; row < k; ++row) {
    const vector factor = splat(a[row]);
    UNROLL_ALL for (int v = 0; v < count; ++v) sums[v] = MULTIPLY_ADD(factor, load(w + v * WIDTH), sums[v]);
    w += width * WIDTH;
  }
}

// The second of two gates that share a vector, where the first one is.
INLINE vector second_gate(vector pair) {
  pair.lo = pair.hi;
  return pair;
}

// One step of `vectors` vectors of units, or of one vector for two gates (`pairs`). States change in place; lanes beyond
// the units hold any numbers.
INLINE void registers_step_of(const int kind, const int vectors, const int pairs, const unroll_layer *l,
                              const unit_switches s, const real *packed, const real *x, real *hidden, real *cell,
                              real *saved) {
  const unroll_cell c = unroll_cell_of(kind);
  const int count = pairs ? (c.gates + 1) / 2 : c.gates * vectors;
  const int together = c.candidate == UNROLL_TOGETHER ? count : count - vectors;
  const real *w = packed + (count + vectors) * WIDTH, *u = w + l->input * count * WIDTH;
  vector a[MOST_GATES * 2], product[2];
  units of[2];
  UNROLL_ALL for (int v = 0; v < count; ++v) a[v] = load(packed + v * WIDTH);
  chain(a, x, l->input, w, count, count);
  chain(a, hidden, l->units, u, together, count);
  if (c.candidate == UNROLL_SEPARATE) {
    UNROLL_ALL for (int v = 0; v < vectors; ++v) product[v] = load(packed + (count + v) * WIDTH);
    chain(product, hidden, l->units, u + together * WIDTH, vectors, count);
  }
  UNROLL_ALL for (int v = 0; v < vectors; ++v) {
    UNROLL_ALL for (int g = 0; g < c.gates; ++g) {
      of[v].gate[g] = !pairs ? a[g * vectors + v] : g % 2 == 0 ? a[g / 2] : second_gate(a[g / 2]);
    }
    of[v].previous_hidden = load(hidden + v * WIDTH);
    if (c.has_cell) of[v].previous_cell = load(cell + v * WIDTH);
    if (c.candidate == UNROLL_SEPARATE) of[v].saved = product[v];
    cell_gates(kind, &of[v], &s);
    if (c.candidate == UNROLL_LATE) store(saved + v * WIDTH, of[v].saved);
  }
  if (c.candidate == UNROLL_LATE) {
    chain(a + together, saved, l->units, u + together * WIDTH, vectors, count);
    UNROLL_ALL for (int v = 0; v < vectors; ++v) of[v].gate[c.gates - 1] = a[together + v];
  }
  UNROLL_ALL for (int v = 0; v < vectors; ++v) {
    if (c.has_cell) {
      of[v].output_cell = of[v].cell;
      store(cell + v * WIDTH, of[v].cell);
    }
    cell_state(kind, &of[v], &s);
    store(hidden + v * WIDTH, of[v].hidden);
  }
}

// One step; `saved` holds two vectors.
static void registers_step(const unroll_plan *p, const real *packed, const real *x, real *hidden, real *cell,
                           real *saved) {
#define STEP(KIND, VECTORS, PAIRS, USUAL) \
  registers_step_of(KIND, VECTORS, PAIRS, l, switches_of(l, USUAL), packed, x, hidden, cell, saved)
#define CELL(CONSTANT, PREFIX, NAME, GATES, ...)                                      \
  case UNROLL_##CONSTANT:                                                             \
    if (!is_usual) {                                                                  \
      pairs ? STEP(UNROLL_##CONSTANT, 1, (GATES) > 1, 0)                              \
            : l->units > WIDTH ? STEP(UNROLL_##CONSTANT, 2, 0, 0) : STEP(UNROLL_##CONSTANT, 1, 0, 0); \
    } else {                                                                          \
      pairs ? STEP(UNROLL_##CONSTANT, 1, (GATES) > 1, 1)                              \
            : l->units > WIDTH ? STEP(UNROLL_##CONSTANT, 2, 0, 1) : STEP(UNROLL_##CONSTANT, 1, 0, 1); \
    }                                                                                 \
    break;
  const unroll_layer *l = &p->layer;
  const int is_usual = p->is_usual, pairs = p->pairs_gates;
  switch (l->cell) { UNROLL_CELLS(CELL) }
#undef CELL
#undef STEP
}

#endif
