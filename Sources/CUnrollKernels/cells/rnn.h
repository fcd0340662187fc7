// The basic cell (Elman 1990). One gate, the candidate n:
//
//   h' = f(x W + h U + b)        da = dh' f'(a)

#ifndef UNROLL_CELL_RNN_H
#define UNROLL_CELL_RNN_H

#ifdef UNROLL_PLAIN_UNITS

static void plain_rnn_gates(unit *u, const unroll_layer *l) { (void)u, (void)l; }

static void plain_rnn_state(unit *u, const unroll_layer *l) {
  u->gate[0] = plain_value(u->gate[0], &l->candidate);
  u->hidden = u->gate[0];
}

static void plain_rnn_state_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  d->gate[0] = d->hidden * plain_slope(u->gate[0], &l->candidate);
  d->hidden = 0;
}

static void plain_rnn_gates_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  (void)u, (void)d, (void)l;
}

#else
#include "units.h"

INLINE void rnn_gates(units *u, const unit_switches *s) { (void)u, (void)s; }

INLINE void rnn_state(units *u, const unit_switches *s) {
  u->gate[0] = candidate_value(u->gate[0], s);
  u->hidden = u->gate[0];
}

INLINE void rnn_state_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  d->gate[0] = d->hidden * candidate_slope(u->gate[0], s);
  d->hidden = splat(0);
}

INLINE void rnn_gates_backward(const units *u, unit_gradients *d, const unit_switches *s) { (void)u, (void)d, (void)s; }

#endif
#endif
