// Sizes that a plan and the passes share, and where packed weights stand.

#ifndef UNROLL_LAYOUT_H
#define UNROLL_LAYOUT_H

#include "unroll_layer.h"
#include "unroll_machine.h"

#define UNROLL_SHARED static inline __attribute__((unused))

/// G H: the numbers of all gates of a row.
UNROLL_SHARED ptrdiff_t gate_width(const unroll_layer *l) { return unroll_cell_of(l->cell).gates * l->units; }

/// The columns of U that are multiplied with h at the start of a step, and added to x W.
UNROLL_SHARED ptrdiff_t together_columns(const unroll_layer *l) {
  const unroll_cell cell = unroll_cell_of(l->cell);
  return (cell.candidate == UNROLL_TOGETHER ? cell.gates : cell.gates - 1) * l->units;
}

UNROLL_SHARED int has_separate_candidate(const unroll_layer *l) {
  return unroll_cell_of(l->cell).candidate == UNROLL_SEPARATE;
}
UNROLL_SHARED int has_late_candidate(const unroll_layer *l) { return unroll_cell_of(l->cell).candidate == UNROLL_LATE; }
UNROLL_SHARED int has_cell_state(const unroll_layer *l) { return unroll_cell_of(l->cell).has_cell; }
/// Whether a step leaves [B, H] numbers besides gates and states: the cell's, or an output before its projection.
UNROLL_SHARED int saves_values(const unroll_layer *l) { return unroll_cell_of(l->cell).saves || l->has_projection; }
/// Whether the output function sees a normalised cell state.
UNROLL_SHARED int normalizes_cell(const unroll_layer *l) { return l->is_normalized && has_cell_state(l); }

UNROLL_SHARED ptrdiff_t whole_vectors(ptrdiff_t n, ptrdiff_t width) { return (n + width - 1) / width * width; }
/// Arrays in scratch begin on a cache line of their own; 16 float or 8 double numbers are one.
UNROLL_SHARED ptrdiff_t whole_lines(ptrdiff_t n) { return (n + 15) / 16 * 16; }

/// The inverse standard deviations that layer normalisation keeps of a row and step: of x W and h U, both of two groups,
/// and of c'.
enum { SCALES = 5, SCALES_OF_INPUT = 0, SCALES_OF_STATE = 2, SCALE_OF_CELL = 4 };

/// Offsets of packed weights, in numbers. `bias` includes all second biases but that of a separate candidate, which
/// is at `candidate_bias`. The matrices follow in panels (products/product.h).
typedef struct {
  ptrdiff_t bias, candidate_bias, input, recurrent, candidate, projection, count;
} packed_layout;

UNROLL_SHARED packed_layout layout_of_panels(const unroll_layer *l, ptrdiff_t width) {
  const ptrdiff_t gates = gate_width(l), together = together_columns(l);
  packed_layout at = {.bias = 0};
  at.candidate_bias = whole_lines(gates);
  at.input = at.candidate_bias + (has_separate_candidate(l) ? whole_lines(l->units) : 0);
  at.recurrent = at.input + l->input * whole_vectors(gates, width);
  at.candidate = at.recurrent + l->state * whole_vectors(together, width);
  at.projection = at.candidate + (together < gates ? l->state * whole_vectors(l->units, width) : 0);
  at.count = at.projection + (l->has_projection ? l->units * whole_vectors(l->state, width) : 0);
  return at;
}

/// Transposed, as the backward pass reads them; without biases.
UNROLL_SHARED packed_layout layout_of_transposed_panels(const unroll_layer *l, ptrdiff_t width) {
  const ptrdiff_t gates = gate_width(l), together = together_columns(l);
  packed_layout at = {.input = 0};
  at.recurrent = gates * whole_vectors(l->input, width);
  at.candidate = at.recurrent + together * whole_vectors(l->state, width);
  at.projection = at.candidate + (gates - together) * whole_vectors(l->state, width);
  at.count = at.projection + (l->has_projection ? l->state * whole_vectors(l->units, width) : 0);
  return at;
}

/// The size of bf16 panels in words of two weights: columns come in pairs of vectors.
UNROLL_SHARED ptrdiff_t bf16_words(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t width) {
  return rows * whole_vectors(columns, 2 * width) / 2;
}
/// A separate or late candidate has panels of its own in W, too, so that each weight shares its word with the same
/// neighbour on every path. The projection is not bf16.
typedef struct {
  ptrdiff_t bias, candidate_bias, input, input_candidate, recurrent, candidate, projection, count;
} bf16_layout;

UNROLL_SHARED bf16_layout layout_of_bf16(const unroll_layer *l, ptrdiff_t width) {
  const ptrdiff_t gates = gate_width(l), together = together_columns(l), late = gates - together;
  bf16_layout at = {.bias = 0};
  at.candidate_bias = whole_lines(gates);
  at.input = at.candidate_bias + (has_separate_candidate(l) ? whole_lines(l->units) : 0);
  at.input_candidate = at.input + bf16_words(l->input, together, width);
  at.recurrent = at.input_candidate + bf16_words(l->input, late, width);
  at.candidate = at.recurrent + bf16_words(l->state, together, width);
  at.projection = at.candidate + bf16_words(l->state, late, width);
  at.count = at.projection + (l->has_projection ? l->units * whole_vectors(l->state, width) : 0);
  return at;
}

/// The registers path: bias and weights row by row. Each gate is padded to whole vectors, or two small gates share a
/// vector. A separate or late candidate begins a new vector.
typedef struct {
  ptrdiff_t gate, row, candidate_bias, input, recurrent, count;
} registers_layout;

UNROLL_SHARED int pairs_gates(const unroll_layer *l, ptrdiff_t width) {
  const unroll_cell cell = unroll_cell_of(l->cell);
  return 2 * l->units <= width && cell.gates > 1 && (cell.candidate == UNROLL_TOGETHER || cell.gates % 2 == 1);
}

UNROLL_SHARED registers_layout layout_of_registers(const unroll_layer *l, ptrdiff_t width) {
  registers_layout at = {.gate = pairs_gates(l, width) ? width / 2 : whole_vectors(l->units, width)};
  at.row = whole_vectors(unroll_cell_of(l->cell).gates * at.gate, width);
  at.candidate_bias = at.row;
  at.input = at.candidate_bias + whole_vectors(at.gate, width);
  at.recurrent = at.input + l->input * at.row;
  at.count = at.recurrent + l->state * at.row;
  return at;
}

/// The largest number of vectors in a group of streamed weights.
enum { GROUP_VECTORS = 8 };

/// The backward pass of lanes sums weight gradients once in this number of steps: their operands are then still in L1,
/// unless D is large.
enum { LANE_STEPS = 8 };
/// Kinds of sums over all rows, in layers with gains or peepholes: gradients of biases, gains and peepholes.
enum { GRADIENT_SUMS = 6 };

#endif
