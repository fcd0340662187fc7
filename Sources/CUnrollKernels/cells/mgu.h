// The minimal gated unit (Zhou et al. 2016, arXiv:1603.09420). Gates f, n; saved is q = f h:
//
//   f = s(af)   n = t(x Wn + (f h) Un + bn)   h' = (1 - f) h + f n
//
//   dn = dh' f t'(an)   dh = dh' (1 - f)   dq = dn Un^T   df = (dh' (n - h) + dq h) s'(af)   dh += dq f

#ifndef UNROLL_CELL_MGU_H
#define UNROLL_CELL_MGU_H

#ifdef UNROLL_PLAIN_UNITS

static void plain_mgu_gates(unit *u, const unroll_layer *l) {
  u->gate[0] = plain_value(u->gate[0], &l->gate);
  u->saved = u->gate[0] * u->previous_hidden;
}

static void plain_mgu_state(unit *u, const unroll_layer *l) {
  const real f = u->gate[0];
  u->gate[1] = plain_value(u->gate[1], &l->candidate);
  u->hidden = (1 - f) * u->previous_hidden + f * u->gate[1];
}

static void plain_mgu_state_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real dh = d->hidden, f = u->gate[0], n = u->gate[1];
  d->gate[0] = dh * (n - u->previous_hidden);  // what gates_backward completes
  d->gate[1] = dh * f * plain_slope(n, &l->candidate);
  d->hidden = dh * (1 - f);
}

static void plain_mgu_gates_backward(const unit *u, unit_gradient *d, const unroll_layer *l) {
  const real f = u->gate[0];
  d->gate[0] = (d->gate[0] + d->saved * u->previous_hidden) * plain_slope(f, &l->gate);
  d->hidden += d->saved * f;
}

#else
#include "units.h"

INLINE void mgu_gates(units *u, const unit_switches *s) {
  u->gate[0] = gate_value(u->gate[0], s);
  u->saved = u->gate[0] * u->previous_hidden;
}

INLINE void mgu_state(units *u, const unit_switches *s) {
  const vector f = u->gate[0], n = candidate_value(u->gate[1], s);
  u->gate[1] = n;
  u->hidden = MULTIPLY_ADD(f, n, (1 - f) * u->previous_hidden);
}

INLINE void mgu_state_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector dh = d->hidden, f = u->gate[0], n = u->gate[1];
  d->gate[0] = dh * (n - u->previous_hidden);  // what gates_backward completes
  d->gate[1] = dh * f * candidate_slope(n, s);
  d->hidden = dh * (1 - f);
}

INLINE void mgu_gates_backward(const units *u, unit_gradients *d, const unit_switches *s) {
  const vector f = u->gate[0];
  d->gate[0] = MULTIPLY_ADD(d->saved, u->previous_hidden, d->gate[0]) * gate_slope(f, s);
  d->hidden = MULTIPLY_ADD(d->saved, f, d->hidden);
}

#endif
#endif
