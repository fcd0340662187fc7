// What a pass over a sequence, or a step of a stream, reads and writes.

#ifndef UNROLL_PASS_H
#define UNROLL_PASS_H

#include "../cells/units.h"
#include "../layout.h"

// An array of the layer, from `offset` on; null stays null.
#define AT(type, base, offset) ((base) ? (type *)(base) + (offset) : (type *)0)

typedef struct {
  const unroll_plan *plan;
  const unroll_layer *layer;
  const unroll_weights *weights;
  const real *packed;
  const unroll_sequence *sequence;
  const unroll_gradients *gradients;  ///< backward
  int keeps_trace;
} pass;

// The arrays of one step, from its first row on.
typedef struct {
  real *gates;     ///< [rows, G H]: arguments, then values
  real *saved;     ///< [rows, H]: what the cell saves, or m before its projection
  real *hidden;    ///< [rows, P]: h'
  real *cell;      ///< [rows, H]: c'
  real *output;    ///< [rows, H]: h', or m where it is projected
  const real *previous_hidden, *previous_cell;
  const uint8_t *active;  ///< [rows], or null: all
  // Of layers that normalise: n(x W) and n(h U), [rows, G H] (the first null without a trace); n(c') and what the
  // output function sees, [rows, H]; inverse standard deviations, [rows, SCALES] (null without a trace).
  real *input_values, *product_values, *normal_cell, *output_cell, *scales;
  ptrdiff_t rows;
  ptrdiff_t index;  ///< the rows of all steps before, on which zoneout's masks depend
} step_rows;

// Gradients of one step; on entry `hidden` is dL/dh', on exit dL/dh; `cell` likewise.
typedef struct {
  real *gates;      ///< [rows, G H] of arguments
  real *separate;   ///< [rows, H] of h U + c
  real *hidden;     ///< [rows, P]
  real *cell;       ///< [rows, H]
  real *projected;  ///< [rows, P] of m Q, kept for dQ
  real *output;     ///< [rows, H] of h', or of m where it is projected
  real *inputs, *products;  ///< [rows, G H] of x W and h U, where they are normalised
  real *output_cell;        ///< [rows, H] of what the output function sees, where c' is normalised
  real *scaled;             ///< [rows, H] of r h; scratch
  real *carried_hidden, *carried_cell;  ///< [rows, P] and [rows, H] past the cell (zoneout); scratch
  real *row;                            ///< 3 [H] of scratch
  const real *loss;         ///< [rows, P] dL/d output of this step, or null
} step_gradients;

INLINE ptrdiff_t time_of(const unroll_layer *l, ptrdiff_t position) {
  return l->reversed ? l->steps - 1 - position : position;
}

INLINE int is_active(const step_rows *s, ptrdiff_t row) { return !s->active || s->active[row]; }

// The next `count` numbers of scratch, on a cache line of their own.
INLINE real *take_scratch(real **scratch, ptrdiff_t count) {
  real *at = *scratch;
  *scratch += whole_lines(count);
  return at;
}

#endif
