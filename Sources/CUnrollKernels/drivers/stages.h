// A cell's stages over arrays of units: loads, the cell's arithmetic (../cells), stores. The `size` numbers of an array
// are the units of one sequence, or the interleaved units of as many sequences as a vector holds (lanes.h).

#ifndef UNROLL_STAGES_H
#define UNROLL_STAGES_H

#include "pass.h"

#define UNROLL_CELL_ARITHMETIC
#include "unroll_cells.h"

typedef struct {
  ptrdiff_t rows;   ///< arrays follow each other
  ptrdiff_t size;   ///< numbers of each gate in a row
  ptrdiff_t state;  ///< numbers of a state, which differ where it is projected
  real *gates;
  real *saved, *output, *cell;
  const real *previous_hidden, *previous_cell;
  const real *output_cell;  ///< where c' is normalised
  int keeps_gates;          ///< whether the last gate's value is stored, too
} unit_arrays;

typedef struct {
  real *gates, *separate, *output, *cell, *output_cell;
  const real *scaled;
} gradient_arrays;

// Moves the arrays that the cell has to the next row.
INLINE void advance(unit_arrays *a, const unroll_cell cell, const unit_switches *s) {
  a->gates += cell.gates * a->size;
  a->output += a->size;
  a->previous_hidden += a->state;
  if (cell.saves) a->saved += a->size;
  if (!cell.has_cell) return;
  a->cell += a->size;
  a->previous_cell += a->size;
  if (s->is_normalized) a->output_cell += a->size;
}
INLINE void advance_gradients(gradient_arrays *g, const unroll_cell cell, const unit_switches *s, ptrdiff_t size) {
  g->gates += cell.gates * size;
  g->output += size;
  if (cell.candidate == UNROLL_SEPARATE) g->separate += size;
  if (cell.candidate == UNROLL_LATE) g->scaled += size;
  if (!cell.has_cell) return;
  g->cell += size;
  if (s->is_normalized) g->output_cell += size;
}

// The stages of a cell, by its kind: a constant where these are used.
#define CELL_STAGE(STAGE, ARGUMENTS, CALL)                                                       \
  INLINE void cell_##STAGE ARGUMENTS {                                                           \
    switch (kind) { UNROLL_CELLS(CALL) }                                                         \
  }
#define GATES(CONSTANT, PREFIX, ...) case UNROLL_##CONSTANT: PREFIX##_gates(u, s); break;
#define STATE(CONSTANT, PREFIX, ...) case UNROLL_##CONSTANT: PREFIX##_state(u, s); break;
#define STATE_BACKWARD(CONSTANT, PREFIX, ...) case UNROLL_##CONSTANT: PREFIX##_state_backward(u, d, s); break;
#define GATES_BACKWARD(CONSTANT, PREFIX, ...) case UNROLL_##CONSTANT: PREFIX##_gates_backward(u, d, s); break;
CELL_STAGE(gates, (const int kind, units *u, const unit_switches *s), GATES)
CELL_STAGE(state, (const int kind, units *u, const unit_switches *s), STATE)
CELL_STAGE(state_backward, (const int kind, const units *u, unit_gradients *d, const unit_switches *s), STATE_BACKWARD)
CELL_STAGE(gates_backward, (const int kind, const units *u, unit_gradients *d, const unit_switches *s), GATES_BACKWARD)
#undef CELL_STAGE
#undef GATES
#undef STATE
#undef STATE_BACKWARD
#undef GATES_BACKWARD

#define LOAD(array) load_part((array) + j, n)
#define STORE(array, value) store_part((array) + j, value, n)

INLINE void load_peepholes(units *u, ptrdiff_t size, const real *peepholes, ptrdiff_t j, ptrdiff_t n) {
  UNROLL_ALL for (int g = 0; g < 3; ++g) u->peephole[g] = LOAD(peepholes + g * size);
}

// All gates but the last, and what follows from them.
INLINE void gates_of_units(const int kind, const unit_arrays *arrays, const unit_switches s, const real *peepholes) {
  unit_arrays a = *arrays;  // a copy: stores of vectors may alias anything that has an address
  const unroll_cell cell = unroll_cell_of(kind);
  const ptrdiff_t size = a.size;
  if (cell.gates == 1) return;
  for (ptrdiff_t row = 0; row < a.rows; ++row) {
    if (row > 0) advance(&a, cell, &s);
    FOR_VECTORS(size, {
      units u;
      UNROLL_ALL for (int g = 0; g < cell.gates - 1; ++g) u.gate[g] = LOAD(a.gates + g * size);
      if (!cell.has_cell) u.previous_hidden = LOAD(a.previous_hidden);
      if (cell.has_cell) u.previous_cell = LOAD(a.previous_cell);
      if (cell.has_cell && s.has_peepholes) load_peepholes(&u, size, peepholes, j, n);
      cell_gates(kind, &u, &s);
      UNROLL_ALL for (int g = 0; g < cell.gates - 1; ++g) STORE(a.gates + g * size, u.gate[g]);
      if (cell.has_cell) STORE(a.cell, u.cell);
      if (cell.saves && cell.candidate != UNROLL_SEPARATE) STORE(a.saved, u.saved);
    })
  }
}

// The last gate and the state, or the output before its projection.
INLINE void state_of_units(const int kind, const unit_arrays *arrays, const unit_switches s, const real *peepholes) {
  unit_arrays a = *arrays;
  const unroll_cell cell = unroll_cell_of(kind);
  const ptrdiff_t size = a.size, last = (cell.gates - 1) * size;
  for (ptrdiff_t row = 0; row < a.rows; ++row) {
    if (row > 0) advance(&a, cell, &s);
    FOR_VECTORS(size, {
      units u;
      UNROLL_ALL for (int g = 0; g < cell.gates; ++g) u.gate[g] = LOAD(a.gates + g * size);
      if (!cell.has_cell) u.previous_hidden = LOAD(a.previous_hidden);
      if (cell.saves) u.saved = LOAD(a.saved);
      if (cell.has_cell) {
        u.cell = LOAD(a.cell);
        u.output_cell = s.is_normalized ? LOAD(a.output_cell) : u.cell;
        if (s.has_peepholes) load_peepholes(&u, size, peepholes, j, n);
      }
      cell_state(kind, &u, &s);
      if (a.keeps_gates) STORE(a.gates + last, u.gate[cell.gates - 1]);
      STORE(a.output, u.hidden);
    })
  }
}

INLINE units load_units(const int kind, const unit_arrays *a, const unit_switches *s, const real *peepholes, ptrdiff_t j,
                        ptrdiff_t n) {
  const unroll_cell cell = unroll_cell_of(kind);
  units u;
  UNROLL_ALL for (int g = 0; g < cell.gates; ++g) u.gate[g] = LOAD(a->gates + g * a->size);
  if (!cell.has_cell) u.previous_hidden = LOAD(a->previous_hidden);
  if (cell.saves) u.saved = LOAD(a->saved);
  if (cell.has_cell) {
    u.previous_cell = LOAD(a->previous_cell);
    u.cell = LOAD(a->cell);
    u.output_cell = s->is_normalized ? LOAD(a->output_cell) : u.cell;
    if (s->has_peepholes) load_peepholes(&u, a->size, peepholes, j, n);
  }
  return u;
}

// Backward through the state and the gates; without the gates where a late product or a normalised c' comes between.
INLINE void state_backward_of_units(const int kind, const unit_arrays *arrays, const gradient_arrays *gradients,
                                    const unit_switches s, const real *peepholes) {
  unit_arrays a = *arrays;
  gradient_arrays g = *gradients;
  const unroll_cell cell = unroll_cell_of(kind);
  const ptrdiff_t size = a.size;
  const int is_late = cell.candidate == UNROLL_LATE, is_split = is_late || (cell.has_cell && s.is_normalized);
  for (ptrdiff_t row = 0; row < a.rows; ++row) {
    if (row > 0) advance(&a, cell, &s), advance_gradients(&g, cell, &s, size);
    FOR_VECTORS(size, {
      const units u = load_units(kind, &a, &s, peepholes, j, n);
      unit_gradients d;
      d.hidden = LOAD(g.output);
      if (cell.has_cell) d.cell = LOAD(g.cell);
      cell_state_backward(kind, &u, &d, &s);
      if (!is_split) {
        cell_gates_backward(kind, &u, &d, &s);
        if (cell.has_cell) STORE(g.cell, d.cell);
        UNROLL_ALL for (int k = 0; k < cell.gates; ++k) STORE(g.gates + k * size, d.gate[k]);
      } else if (is_late) {
        UNROLL_ALL for (int k = 0; k < cell.gates; ++k) STORE(g.gates + k * size, d.gate[k]);
      } else {
        STORE(g.gates + (cell.gates - 1) * size, d.gate[cell.gates - 1]);
        STORE(g.output_cell, d.output_cell);
      }
      if (cell.candidate == UNROLL_SEPARATE) STORE(g.separate, d.saved);
      STORE(g.output, d.hidden);
    })
  }
}

// Backward through the gates, where they are not part of the stage before.
INLINE void gates_backward_of_units(const int kind, const unit_arrays *arrays, const gradient_arrays *gradients,
                                    const unit_switches s, const real *peepholes) {
  unit_arrays a = *arrays;
  gradient_arrays g = *gradients;
  const unroll_cell cell = unroll_cell_of(kind);
  const ptrdiff_t size = a.size;
  const int is_late = cell.candidate == UNROLL_LATE;
  if (!is_late && !cell.has_cell) return;
  for (ptrdiff_t row = 0; row < a.rows; ++row) {
    if (row > 0) advance(&a, cell, &s), advance_gradients(&g, cell, &s, size);
    FOR_VECTORS(size, {
      const units u = load_units(kind, &a, &s, peepholes, j, n);
      unit_gradients d;
      d.gate[0] = LOAD(g.gates);
      if (!is_late) d.gate[cell.gates - 1] = LOAD(g.gates + (cell.gates - 1) * size);
      d.hidden = LOAD(g.output);
      if (is_late) d.saved = LOAD(g.scaled);
      if (cell.has_cell) d.cell = LOAD(g.cell);
      cell_gates_backward(kind, &u, &d, &s);
      // A late candidate's operand is scaled by the first gate; the gradients of the others are complete.
      UNROLL_ALL for (int k = 0; k < (is_late ? 1 : cell.gates - 1); ++k) STORE(g.gates + k * size, d.gate[k]);
      if (cell.has_cell) STORE(g.cell, d.cell);
      STORE(g.output, d.hidden);
    })
  }
}
#undef LOAD
#undef STORE

// A function for each cell, with the usual functions as constants and without.
typedef struct {
  void (*gates)(const unit_arrays *, const unroll_layer *, const real *peepholes);
  void (*state)(const unit_arrays *, const unroll_layer *, const real *peepholes);
  void (*state_backward)(const unit_arrays *, const gradient_arrays *, const unroll_layer *, const real *peepholes);
  void (*gates_backward)(const unit_arrays *, const gradient_arrays *, const unroll_layer *, const real *peepholes);
} cell_stages;

#define STAGES(CONSTANT, PREFIX, USUAL)                                                                           \
  static void PREFIX##_gates_##USUAL(const unit_arrays *a, const unroll_layer *l, const real *peepholes) {        \
    gates_of_units(UNROLL_##CONSTANT, a, switches_of(l, USUAL), peepholes);                                       \
  }                                                                                                               \
  static void PREFIX##_state_##USUAL(const unit_arrays *a, const unroll_layer *l, const real *peepholes) {        \
    state_of_units(UNROLL_##CONSTANT, a, switches_of(l, USUAL), peepholes);                                       \
  }                                                                                                               \
  static void PREFIX##_state_backward_##USUAL(const unit_arrays *a, const gradient_arrays *g,                     \
                                              const unroll_layer *l, const real *peepholes) {                     \
    state_backward_of_units(UNROLL_##CONSTANT, a, g, switches_of(l, USUAL), peepholes);                           \
  }                                                                                                               \
  static void PREFIX##_gates_backward_##USUAL(const unit_arrays *a, const gradient_arrays *g,                     \
                                              const unroll_layer *l, const real *peepholes) {                     \
    gates_backward_of_units(UNROLL_##CONSTANT, a, g, switches_of(l, USUAL), peepholes);                           \
  }
#define CELL(CONSTANT, PREFIX, ...) STAGES(CONSTANT, PREFIX, 0) STAGES(CONSTANT, PREFIX, 1)
UNROLL_CELLS(CELL)
#undef CELL
#undef STAGES

INLINE const cell_stages *stages_of(const unroll_plan *p) {
#define NAMES(PREFIX, USUAL)                                                                  \
  {PREFIX##_gates_##USUAL, PREFIX##_state_##USUAL, PREFIX##_state_backward_##USUAL, PREFIX##_gates_backward_##USUAL}
#define CELL(CONSTANT, PREFIX, ...) {NAMES(PREFIX, 0), NAMES(PREFIX, 1)},
  static const cell_stages all[][2] = {UNROLL_CELLS(CELL)};
#undef CELL
#undef NAMES
  return &all[p->layer.cell][p->is_usual];
}

#endif
