// One unit of a cell, and the cells' scalar equations (cells/NAME.h, under UNROLL_PLAIN_UNITS): written independently of
// the vector ones, whose oracle they are.

#ifndef UNROLL_PLAIN_UNITS_H
#define UNROLL_PLAIN_UNITS_H

#include "functions.h"

typedef struct {
  real gate[4];
  real previous_hidden, previous_cell, hidden, cell, output_cell, saved;
  real peephole[3];
} unit;

typedef struct {
  real gate[4];
  real hidden, cell, output_cell, saved;
} unit_gradient;

#define UNROLL_PLAIN_UNITS
#define UNROLL_CELL_ARITHMETIC
#include "unroll_cells.h"

// A cell's stages, by its kind.
typedef struct {
  void (*gates)(unit *, const unroll_layer *);
  void (*state)(unit *, const unroll_layer *);
  void (*state_backward)(const unit *, unit_gradient *, const unroll_layer *);
  void (*gates_backward)(const unit *, unit_gradient *, const unroll_layer *);
} plain_cell;

#define CELL(CONSTANT, PREFIX, ...) \
  {plain_##PREFIX##_gates, plain_##PREFIX##_state, plain_##PREFIX##_state_backward, plain_##PREFIX##_gates_backward},
static const plain_cell plain_cells[] = {UNROLL_CELLS(CELL)};
#undef CELL

#endif
