// A vector of units of one cell, and the activations. A cell's arithmetic is written once on these, in two stages:
// `NAME_gates` computes all gates but the last one, and what follows from them; `NAME_state` computes the last gate and the
// new state. Drivers (../drivers) load and store around the stages, so that every path has the same bits.

#ifndef UNROLL_UNITS_H
#define UNROLL_UNITS_H

#include "../vector/math.h"
#include "unroll_layer.h"

enum { MOST_GATES = 4 };

typedef struct {
  vector gate[MOST_GATES];                ///< arguments, then values
  vector previous_hidden, previous_cell;  ///< h and c
  vector hidden, cell;                    ///< h' and c'
  vector output_cell;                     ///< what an LSTM's output function sees: c', or its normalised value
  vector saved;                           ///< see UNROLL_CELLS
  vector peephole[3];
} units;

/// Gradients of the loss with respect to arguments and states.
typedef struct {
  vector gate[MOST_GATES];
  vector hidden;       ///< on entry of dh', on exit the part of dh that does not pass through a product
  vector cell;         ///< on entry of dc', on exit of dc
  vector output_cell;  ///< of what an LSTM's output function sees
  vector saved;        ///< of h U + c, or of r h
} unit_gradients;

/// What a cell's functions depend on besides the units. `is_usual` is a constant where it is 1: sigmoid and tanh.
typedef struct {
  const unroll_layer *layer;
  int is_usual, has_peepholes, is_normalized;
  real shift;
} unit_switches;

INLINE unit_switches switches_of(const unroll_layer *l, const int is_usual) {
  return (unit_switches){l, is_usual, l->has_peepholes, l->is_normalized, (real)l->shift};
}

static __attribute__((noinline)) vector call_tanh(vector x) { return vector_tanh(x); }
static __attribute__((noinline)) vector call_sigmoid(vector x) { return vector_sigmoid(x); }

INLINE vector activate(vector x, const unroll_activation *f) {
  switch (f->kind) {
    case UNROLL_TANH: return call_tanh(x);
    case UNROLL_SIGMOID: return call_sigmoid(x);
    case UNROLL_RELU: return x < 0 ? splat(0) : x;
    case UNROLL_HARD_SIGMOID: {
      const vector y = x * (real)f->alpha + (real)f->beta;
      return y < 0 ? splat(0) : y > 1 ? splat(1) : y;
    }
    case UNROLL_SOFTSIGN: return x / (1 + __builtin_elementwise_abs(x));
    default: return x;
  }
}

// The derivative where the value is y.
INLINE vector slope(vector y, const unroll_activation *f) {
  switch (f->kind) {
    case UNROLL_TANH: return 1 - y * y;
    case UNROLL_SIGMOID: return y * (1 - y);
    case UNROLL_RELU: return y > 0 ? splat(1) : splat(0);
    case UNROLL_HARD_SIGMOID: {
      const vector steep = splat((real)f->alpha);
      return y > 0 ? (y < 1 ? steep : splat(0)) : splat(0);
    }
    case UNROLL_SOFTSIGN: {
      const vector rest = 1 - __builtin_elementwise_abs(y);
      return rest * rest;
    }
    default: return splat(1);
  }
}

// The gates' function of `count` arguments, in place.
INLINE void gate_values(vector *x, const int count, const unit_switches *s) {
  if (s->is_usual) {
    vector_sigmoids(x, count);
  } else {
    UNROLL_ALL for (int v = 0; v < count; ++v) x[v] = activate(x[v], &s->layer->gate);
  }
}
INLINE vector gate_value(vector x, const unit_switches *s) {
  gate_values(&x, 1, s);
  return x;
}
INLINE vector candidate_value(vector x, const unit_switches *s) {
  return s->is_usual ? vector_tanh(x) : activate(x, &s->layer->candidate);
}
INLINE vector output_value(vector x, const unit_switches *s) {
  return s->is_usual ? vector_tanh(x) : activate(x, &s->layer->output);
}
INLINE vector gate_slope(vector y, const unit_switches *s) {
  return s->is_usual ? y * (1 - y) : slope(y, &s->layer->gate);
}
INLINE vector candidate_slope(vector y, const unit_switches *s) {
  return s->is_usual ? 1 - y * y : slope(y, &s->layer->candidate);
}
INLINE vector output_slope(vector y, const unit_switches *s) {
  return s->is_usual ? 1 - y * y : slope(y, &s->layer->output);
}

#endif
