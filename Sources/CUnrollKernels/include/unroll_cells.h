// The cells: one line each. Everything that depends on the kind of a cell is derived from its line, in C and in
// Swift (CellKind). To add one: a line here, and its arithmetic in cells/NAME.h.

#ifndef UNROLL_CELLS_H
#define UNROLL_CELLS_H

#include <stdint.h>

/// How the recurrent product of the last gate, the candidate, enters its argument.
enum {
  UNROLL_TOGETHER = 0,  ///< in one product with the other gates: x W + h U
  UNROLL_SEPARATE = 1,  ///< as a product of its own, scaled by a gate: x W + r (h U + c)
  UNROLL_LATE = 2,      ///< after the gates, from a scaled state: x W + (r h) U
};

/// CELL(CONSTANT, prefix, name, gates, candidate, has_cell, saves): the last four are fields of `unroll_cell`.
///
/// Gates are in the order of the weights' columns. The last gate is the candidate; of the LSTM it is the output gate.
/// The first gate scales the state of a late candidate. A cell saves h U + c (separate candidate), r h (late
/// candidate) or, for JANET, the update gate.
#define UNROLL_CELLS(CELL)                                           \
  CELL(RNN, rnn, "rnn", 1, UNROLL_TOGETHER, 0, 0)                    \
  CELL(GRU_BEFORE, gru_before, "gru", 3, UNROLL_LATE, 0, 1)          \
  CELL(GRU_AFTER, gru_after, "gru-after", 3, UNROLL_SEPARATE, 0, 1)  \
  CELL(LSTM, lstm, "lstm", 4, UNROLL_TOGETHER, 1, 0)                 \
  CELL(MGU, mgu, "mgu", 2, UNROLL_LATE, 0, 1)                        \
  CELL(JANET, janet, "janet", 2, UNROLL_TOGETHER, 0, 1)

#define CELL(CONSTANT, PREFIX, NAME, GATES, CANDIDATE, HAS_CELL, SAVES) UNROLL_##CONSTANT,
enum { UNROLL_CELLS(CELL) UNROLL_CELL_COUNT };
#undef CELL

/// A line of the table.
typedef struct {
  const char *name;
  int32_t gates;       ///< G
  int32_t candidate;   ///< UNROLL_TOGETHER ...
  int32_t has_cell;    ///< whether there is a cell state c besides h
  int32_t saves;       ///< whether a step leaves [B, H] numbers besides gates and states
} unroll_cell;

/// The line of a cell, UNROLL_RNN ... below UNROLL_CELL_COUNT.
static inline unroll_cell unroll_cell_of(int32_t cell) {
#define CELL(CONSTANT, PREFIX, NAME, GATES, CANDIDATE, HAS_CELL, SAVES) \
  {NAME, GATES, CANDIDATE, HAS_CELL, SAVES},
  static const unroll_cell cells[] = {UNROLL_CELLS(CELL)};
#undef CELL
  return cells[cell];
}

/// Activation functions. The derivative of each follows from its value, so that only the value is stored.
enum {
  UNROLL_TANH = 0,
  UNROLL_SIGMOID = 1,
  UNROLL_RELU = 2,
  UNROLL_HARD_SIGMOID = 3,  ///< max(0, min(1, alpha x + beta))
  UNROLL_IDENTITY = 4,
  UNROLL_SOFTSIGN = 5,      ///< x / (1 + |x|)
  UNROLL_LAST_FAST_FUNCTION = UNROLL_SOFTSIGN,  ///< the functions below run on the plain path only
  UNROLL_LEAKY_RELU = 6,         ///< x < 0 ? alpha x : x, alpha >= 0
  UNROLL_ELU = 7,                ///< x < 0 ? alpha (exp(x) - 1) : x, alpha >= 0
  UNROLL_SOFTPLUS = 8,           ///< log(1 + exp(x))
  UNROLL_THRESHOLDED_RELU = 9,   ///< x > alpha ? x : 0, alpha >= 0
  UNROLL_SCALED_TANH = 10,       ///< alpha tanh(beta x)
  UNROLL_AFFINE = 11,            ///< alpha x + beta
};

/// A function and its parameters; `clip` > 0 first limits the argument to -clip ... clip.
typedef struct {
  int32_t kind;
  double alpha, beta, clip;
} unroll_activation;

#endif

// Outside the include guard: a file that defines UNROLL_CELL_ARITHMETIC also gets the arithmetic of every cell.
#ifdef UNROLL_CELL_ARITHMETIC
#include "../cells/gru_after.h"
#include "../cells/gru_before.h"
#include "../cells/janet.h"
#include "../cells/lstm.h"
#include "../cells/mgu.h"
#include "../cells/rnn.h"
#undef UNROLL_CELL_ARITHMETIC
#endif
